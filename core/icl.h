/* icl.h - the public C interface of libicl.
 *
 * An engine owns a device, its memory, the plan cache and the current step; one thread at a time uses an engine. A
 * tensor is a reference-counted handle on a recorded value: its shape and dtype are settled when it is recorded, its
 * value exists once it was evaluated. Values never change. A state is a variable: a parameter, a running statistic, a
 * counter.
 *
 * Images are N x H x W x C, convolution weights kh x kw x in/groups x out, linear weights in x out. Axes count from 0,
 * negative axes from the end. Functions return ICL_OK or a status; icl_message() then holds one sentence about it. */
#ifndef ICL_H
#define ICL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ---- */

/* name, sentence */
#define ICL_STATUS_TABLE(X)                                                                                            \
  X(OK, "success")                                                                                                     \
  X(EINVAL, "an argument is wrong")                                                                                    \
  X(ESHAPE, "shapes do not fit")                                                                                       \
  X(EDTYPE, "a dtype is not accepted here")                                                                            \
  X(ENOTSUP, "not supported")                                                                                          \
  X(ENOMEM, "out of memory")                                                                                           \
  X(EIO, "reading or writing failed")                                                                                  \
  X(ENOENT, "a file or a name does not exist")                                                                         \
  X(EEXIST, "it exists already")                                                                                       \
  X(EFORMAT, "a file is damaged or not of the expected format")                                                        \
  X(ENOVALUE, "the value of a tensor is not there")                                                                    \
  X(ENONFINITE, "a value is not finite")                                                                               \
  X(EINTERRUPTED, "stopped by request")                                                                                \
  X(EBACKEND, "the device reported an error")                                                                          \
  X(EINTERNAL, "a broken invariant; please report it")

typedef enum {
#define ICL_STATUS_ENUM(name, sentence) ICL_##name,
  ICL_STATUS_TABLE(ICL_STATUS_ENUM)
#undef ICL_STATUS_ENUM
} icl_status;

const char *icl_status_name(icl_status status); /* "EINVAL" */
const char *icl_status_text(icl_status status); /* "an argument is wrong" */
const char *icl_message(void);                  /* what went wrong last in this thread */

/* ---- dtypes and shapes ---- */

/* name, Lua and message name, bytes of an element */
#define ICL_DTYPE_TABLE(X)                                                                                             \
  X(F32, "f32", 4)                                                                                                     \
  X(BF16, "bf16", 2)                                                                                                   \
  X(F16, "f16", 2)                                                                                                     \
  X(F64, "f64", 8)                                                                                                     \
  X(U8, "u8", 1)                                                                                                       \
  X(I32, "i32", 4)                                                                                                     \
  X(I64, "i64", 8)                                                                                                     \
  X(BOOL, "bool", 1)

typedef enum {
#define ICL_DTYPE_ENUM(name, text, bytes) ICL_##name,
  ICL_DTYPE_TABLE(ICL_DTYPE_ENUM)
#undef ICL_DTYPE_ENUM
      ICL_DTYPE_COUNT
} icl_dtype;

enum { ICL_MAX_RANK = 6, ICL_MAX_INPUTS = 8 };

const char *icl_dtype_name(icl_dtype dtype);                    /* "bf16" */
icl_status icl_dtype_find(const char *name, icl_dtype *result); /* EINVAL for a name that is not in the table */
size_t icl_dtype_bytes(icl_dtype dtype);

typedef struct icl_engine icl_engine;
typedef struct icl_tensor icl_tensor;
typedef struct icl_state icl_state;
typedef struct icl_op icl_op;
typedef struct icl_group icl_group;

/* ---- engine ---- */

typedef struct {
  const char *device;    /* "cpu", "ref" (plain loops in f64), or that of a plug-in, as "cuda:1"; NULL: "cpu" */
  int threads;           /* 0: ICL_THREADS, else every core this process may use */
  int shares;            /* of the images, in each of which sums begin anew: results depend on them to the last bit, and
                            not on threads where they are given; at most 1024; 0: as many as threads */
  int chunk;             /* images a thread takes through a phase at a time; 0: ICL_CHUNK, else by cache size */
  bool eager;            /* evaluate each op when it is recorded, in steps too */
  bool profile;          /* measure time by op, layer, phase and thread */
  bool check_nan;        /* test values and indices before a step commits */
  bool precise;          /* convolutions by kernels that add products as they are: slower, some digits more */
  bool deterministic;    /* no kernels whose results differ from run to run; cpu and ref have none */
  const char *precision; /* of products of f32 values: "f32", or "tf32" where the device has it; NULL: "f32" */
  const char *plan;      /* planner switches, "no-join,no-recompute"; NULL: ICL_PLAN */
} icl_config;

icl_status icl_engine_new(const icl_config *config, icl_engine **result);
void icl_engine_free(icl_engine *engine); /* after every tensor and state of it was released */
int icl_engine_threads(const icl_engine *engine);
int icl_engine_shares(const icl_engine *engine);
/* The device as one line: units of the processor, kernels, versions of libraries. Cut to `size` bytes with the 0. */
void icl_engine_describe_device(const icl_engine *engine, char *text, size_t size);

/* Returns when all is done that the engine was asked for. A device may work on when a step has ended; what fails then
 * is an error here, or where a value is read, which says what op it was. Nothing can be computed or read after it. */
icl_status icl_engine_wait(icl_engine *engine);

/* Device number `index`, from 0 on, of all that are built in or have a plug-in, and cuda in any case: its name, and
 * what it is or, where *usable is false, why it cannot be used. It is opened to be asked. Texts are cut to their sizes.
 * ENOENT: there are no more. */
icl_status icl_device_at(int index, char *name, size_t name_size, bool *usable, char *text, size_t text_size);

/* Asks a running evaluation to stop between phases with EINTERRUPTED; may be called from a signal handler. */
void icl_engine_interrupt(icl_engine *engine);
/* Is there such a request that has not met an evaluation? */
bool icl_engine_interrupted(const icl_engine *engine);
/* Takes it back. */
void icl_engine_resume(icl_engine *engine);

/* Where the next ops come from, for messages and profiles. The strings are copied. */
void icl_engine_layer(icl_engine *engine, const char *path);
void icl_engine_locate(icl_engine *engine, const char *source, int line);

typedef struct {
  uint64_t steps, evaluations, plans_made, plan_hits, lasting_hits; /* the last: runs that found what lasts */
  size_t arena_bytes, value_bytes; /* now: arena of all plans; values, states and kept tensors */
  size_t lasting_bytes; /* now: memory for what lasts, weights of steps of few images in the layouts of their kernels */
  double plan_seconds, record_seconds, run_seconds;
} icl_statistics;
void icl_engine_statistics(const icl_engine *engine, icl_statistics *result);

/* The profile so far as text lines, for each plan of a step: op kind, layer, phase, thread, barrier wait; if there was
 * no step yet, for each op. The caller frees it with icl_free(). */
icl_status icl_engine_profile(icl_engine *engine, char **text);
/* The plan of the last evaluated step as text: phases, instructions, storage; freed with icl_free(). */
icl_status icl_engine_describe_plan(icl_engine *engine, char **text);
/* Advice about how the engine is used, once: steps that are planned anew each time. NULL if there is none; valid until
 * the next step. */
const char *icl_engine_advice(icl_engine *engine);
void icl_free(void *memory);

/* ---- tensors ---- */

/* A constant; `data` is copied, row-major. Rank 0 is a scalar. */
icl_status icl_tensor_new(icl_engine *engine, icl_dtype dtype, int rank, const int32_t *shape, const void *data,
                          icl_tensor **result);
/* A number in arithmetic: takes the dtype of the tensor it meets. Its value is not part of a plan. */
icl_status icl_number(icl_engine *engine, double value, icl_tensor **result);
icl_tensor *icl_tensor_retain(icl_tensor *tensor);
void icl_tensor_release(icl_tensor *tensor); /* NULL is allowed */

icl_engine *icl_tensor_engine(const icl_tensor *tensor);
icl_dtype icl_tensor_dtype(const icl_tensor *tensor);
int icl_tensor_rank(const icl_tensor *tensor);
const int32_t *icl_tensor_shape(const icl_tensor *tensor);
int64_t icl_tensor_count(const icl_tensor *tensor);  /* elements */
const char *icl_tensor_op(const icl_tensor *tensor); /* name of the op that makes it */
bool icl_tensor_evaluated(const icl_tensor *tensor);
size_t icl_tensor_bytes(const icl_tensor *tensor); /* memory that hangs on this handle now */

/* Copies the value, converted to `dtype`, into `data` (icl_tensor_count elements). Evaluates what it needs; inside a
 * step that commits the writes recorded so far. ENOVALUE if the tensor was not kept by its step. */
icl_status icl_tensor_read(icl_tensor *tensor, icl_dtype dtype, void *data);
/* Asks for the value to outlive the step. */
icl_status icl_tensor_keep(icl_tensor *tensor);

/* ---- ops: core/ops/ops.def lists them ---- */

enum { ICL_ATTR_INTS = 14, ICL_ATTR_FLOATS = 2 };
typedef struct {
  int32_t i[ICL_ATTR_INTS];
  double f[ICL_ATTR_FLOATS];
} icl_attributes;

/* int: one integer; flag: 0 or 1; pair: two integers (height, width), one number means both; dim: an axis; dims: a list
 * of axes; shape: a list of sizes; real: a floating-point number; dtype: an icl_dtype. Lists keep their length in their
 * first slot. */
typedef enum {
  ICL_ATTR_INT,
  ICL_ATTR_FLAG,
  ICL_ATTR_PAIR,
  ICL_ATTR_DIM,
  ICL_ATTR_DIMS,
  ICL_ATTR_SHAPE,
  ICL_ATTR_REAL,
  ICL_ATTR_DTYPE
} icl_attr_kind;
typedef struct {
  const char *name;
  icl_attr_kind kind;
  int slot; /* first index into .i, or into .f for real */
  bool required;
  double value; /* default */
} icl_attr_spec;

int icl_op_count(void);
const icl_op *icl_op_at(int index);
const icl_op *icl_op_find(const char *name); /* NULL if there is none */
const char *icl_op_name(const icl_op *op);
const char *icl_op_doc(const icl_op *op);
bool icl_op_internal(const icl_op *op); /* made by gradients or the planner; not for users */
void icl_op_inputs(const icl_op *op, int *least, int *most);
int icl_op_attributes(const icl_op *op, const icl_attr_spec **specs); /* how many */
void icl_op_defaults(const icl_op *op, icl_attributes *attributes);

/* Records op(inputs); NULL attributes: the defaults. Shapes, dtypes and attributes are checked here. The inputs stay
 * the caller's. */
icl_status icl_apply(icl_engine *engine, const icl_op *op, int inputs, icl_tensor *const *input,
                     const icl_attributes *attributes, icl_tensor **result);

/* ---- gradients ---- */

/* Adds the gradient of the scalar `loss` to the slot of every trainable state it depends on. */
icl_status icl_backward(icl_tensor *loss);
/* The same by way of the gradients of `scale` (one number of a float dtype; NULL: 1) times the loss, which are divided
 * by it when a state gets them: what is too small for f16 on the way is not lost. */
icl_status icl_backward_scaled(icl_tensor *loss, icl_tensor *scale);
/* Gradients of the scalar `loss` with respect to `count` tensors; NULL where it does not depend on one. Inside a step
 * they may be anything that was recorded in it; outside of one EINVAL for what needed no gradient when it was used. */
icl_status icl_gradient(icl_tensor *loss, int count, icl_tensor *const *with_respect_to, icl_tensor **results);
icl_status icl_detach(icl_tensor *tensor, icl_tensor **result);
/* Marks a tensor of floats as something gradients are asked for, before it is used. */
icl_status icl_tensor_require_gradient(icl_tensor *tensor);
bool icl_tensor_needs_gradient(const icl_tensor *tensor);

/* A function with a gradient of its own: `value` was recorded from `inputs`; backward gets the gradient of the result
 * and records those of the inputs (NULL: none). `release` frees the context. */
typedef icl_status (*icl_backward_fn)(void *context, icl_tensor *gradient, int inputs, icl_tensor **gradients);
icl_status icl_custom(icl_tensor *value, int inputs, icl_tensor *const *input, icl_backward_fn backward,
                      void (*release)(void *), void *context, icl_tensor **result);

/* Between the two calls nothing that is recorded needs a gradient. Calls nest. */
void icl_no_gradient_begin(icl_engine *engine);
void icl_no_gradient_end(icl_engine *engine);

/* ---- state ---- */

/* A variable with a first value (`data` is copied; NULL: zeros). `name` is for messages. */
icl_status icl_state_new(icl_engine *engine, const char *name, icl_dtype dtype, int rank, const int32_t *shape,
                         const void *data, bool trainable, icl_state **result);
/* Another one, not trained, with the value that `state` has now. Nothing is evaluated for it: where the open step has
 * written `state` it writes the copy too, which keeps the value from before the step if that is dropped. */
icl_status icl_state_copy(icl_state *state, icl_state **result);
icl_state *icl_state_retain(icl_state *state);
void icl_state_release(icl_state *state);
const char *icl_state_name(const icl_state *state);
void icl_state_rename(icl_state *state, const char *name);
icl_dtype icl_state_dtype(const icl_state *state);
int icl_state_rank(const icl_state *state);
const int32_t *icl_state_shape(const icl_state *state);
bool icl_state_trainable(const icl_state *state);
void icl_state_set_trainable(icl_state *state, bool trainable); /* false: frozen */
/* Its value has another dtype from now on; EINVAL inside a step. */
icl_status icl_state_set_dtype(icl_state *state, icl_dtype dtype);

/* The version that ops recorded now read. */
icl_status icl_state_read(icl_state *state, icl_tensor **result);
/* Gives it a new version; with a predicate (one element) only where that is not zero. Stored when the step commits. */
icl_status icl_state_write(icl_state *state, icl_tensor *value, icl_tensor *predicate);
/* The sum of what backward calls left in this step, or NULL. */
icl_status icl_state_gradient(icl_state *state, icl_tensor **result);
/* Puts a gradient in place of it, to which later backward calls add; of a group, each rank gives the same one. */
icl_status icl_state_set_gradient(icl_state *state, icl_tensor *value);
void icl_state_clear_gradient(icl_state *state);
/* Stores host data at once; EINVAL inside a step. */
icl_status icl_state_set(icl_state *state, icl_dtype dtype, const void *data);
icl_status icl_state_get(icl_state *state, icl_dtype dtype, void *data);

/* ---- steps ---- */

/* Ops recorded between begin and end are evaluated at the end: state writes and kept tensors, nothing else. */
icl_status icl_step_begin(icl_engine *engine);
/* An error drops the step, but for ENOMEM: after that the step is still open, so that memory can be freed and the step
 * ended again, or cancelled. States are untouched in either case. */
icl_status icl_step_end(icl_engine *engine);
void icl_step_cancel(icl_engine *engine);
bool icl_in_step(const icl_engine *engine);
/* Has the open step given gradients to states, and has nobody asked for one? */
bool icl_step_wastes_gradients(const icl_engine *engine);
/* Bytes of working memory that ending the step now would take: activations, gradients, scratch of the kernels. Nothing
 * is evaluated, and the step goes on. 0 on devices that do not plan ("ref"). */
icl_status icl_step_memory(icl_engine *engine, size_t *bytes);

/* ---- groups of processes ---- */

typedef struct {
  const char *kind;     /* how they talk: "tcp", or that of a plug-in, "mpi"; NULL: "tcp" */
  int rank, size;       /* number of this process, and how many there are; size 0: as the launcher of MPI has it */
  const char *address;  /* "HOST:PORT" where rank 0 is met by the others; tcp alone needs it */
  double timeout;       /* a rank without a sign of life for so many seconds counts as dead; 0: 20 */
  double start_timeout; /* seconds until all of them must be there; 0: 60 */
  bool fast_reduce;     /* sums in the order that the library of the communicator likes best, if it has one */
} icl_group_options;

/* Meets the other processes; returns when all are there. A thread of the group then carries out what is asked for, and
 * gives signs of life meanwhile, so a process may compute as long as it likes. Each rank must ask for the same things
 * in the same order. EIO: some did not come, do not fit, or the address is of no use; ENOENT, ENOTSUP: there is no such
 * communicator here. Every message names the rank and its host.
 *
 * Once a rank has died, gave no sign of life, called icl_group_abort(), or asks for something else than the others, all
 * calls of all ranks fail with EIO and one message that names it. A child of fork() can only release its group. */
icl_status icl_group_open(const icl_group_options *options, icl_group **result);
icl_group *icl_group_retain(icl_group *group);
void icl_group_release(icl_group *group); /* leaves the group with the last reference; NULL is allowed */

int icl_group_rank(const icl_group *group);
int icl_group_size(const icl_group *group);
int icl_group_local_rank(const icl_group *group); /* among the ranks of its host */
int icl_group_local_size(const icl_group *group);
/* Threads for an engine of this process: its share of the cores that it and others of the group on its host may use. */
int icl_group_threads(const icl_group *group);
const char *icl_group_host(const icl_group *group, int rank); /* NULL: there is no such rank */

icl_status icl_group_broadcast(icl_group *group, int root, void *data, size_t bytes);
/* `all` gets the bytes of every rank, in their order: as many of each. */
icl_status icl_group_gather(icl_group *group, const void *mine, size_t bytes, void *all);
icl_status icl_group_barrier(icl_group *group);
/* All others fail with "rank R on HOST: why", at their next call or in the one that they wait in. */
void icl_group_abort(icl_group *group, const char *why);

/* From now on the engine works as one of a group, which it holds on to; NULL: alone. Not inside a step. All ranks call
 * it, with devices of one kind; on "cuda" each has a GPU to itself. Each rank records the same program for images of
 * its own and weighs its loss by its share of all images: gradients of states are added up over the ranks, in their
 * order, when they are taken, and are the same on each. Where a rank fails in a step the group is aborted, and no rank
 * stores what the step has written. EINVAL: the devices do not fit together; ENOTSUP: they cannot work in a group, or
 * need a library that is not there. */
icl_status icl_engine_set_group(icl_engine *engine, icl_group *group);
icl_group *icl_engine_group(const icl_engine *engine); /* NULL: there is none; stays the engine's */
/* Inside of a step: sets bits that all ranks see behind it. Either none or all of the ranks call it in a step. */
icl_status icl_step_flag(icl_engine *engine, unsigned bits);
/* The bits that any rank has set in the last step that ended. */
unsigned icl_step_flags(const icl_engine *engine);

/* ---- image sets ---- */

typedef enum { ICL_TRAIN, ICL_TEST } icl_part;

/* A part of an image set in host memory. */
typedef struct {
  const char *name, *folder; /* "cifar10"; where the files were found */
  int count, height, width, channels, classes;
  const double *mean, *std;       /* of each channel over the training images, for bytes divided by 255 */
  const char *const *class_names; /* NULL if they are not known */
  const uint8_t *images;          /* count x height x width x channels */
  const int64_t *labels;          /* count, each from 0 to classes - 1 */
} icl_dataset;

/* Reads cifar10, cifar100, fashion_mnist, kmnist or mnist in the files of their publishers. They are looked for in
 * `folder`, which may begin with ~/, and in folders named like the set below it; NULL: in standard folders of the user
 * and the system. ENOENT: no such set, or its files are not there; the message lists what is needed and where one gets
 * it. EFORMAT: damaged. */
icl_status icl_dataset_read(const char *name, const char *folder, icl_part part, icl_dataset **result);
void icl_dataset_free(icl_dataset *dataset); /* NULL is allowed */

/* ---- image folders ---- */

/* A folder with a folder for each class, in which images lie, also in folders below. */
typedef struct {
  const char *path;
  int count, classes;
  const char *const *class_names; /* the names of their folders, sorted byte by byte */
  const int64_t *labels;          /* of each image; images are sorted by class, folder and name */
  int skipped; /* folders and images that were left out: those whose names begin with a dot, as copies of another
                  system do, folders that systems make (@eaDir, __MACOSX), images that lie beside the classes, and
                  images of formats that torchvision leaves out (.gif, .tga, .psd, .pbm, .pnm) */
  int dropped; /* images that icl_image_folder_check() took out */
} icl_image_folder;

/* Lists the images: files whose names end in .jpg, .jpeg, .png, .webp, .tif, .tiff, .bmp, .ppm or .pgm, as for
 * torchvision, capitals or not. A path may begin with ~/. ENOENT: no folder, no classes, or a class without images; the
 * message says what is near. EINVAL: the classes seem to lie one level deeper, or two of them have one name in two
 * forms of Unicode. */
icl_status icl_image_folder_open(const char *path, icl_image_folder **result);
void icl_image_folder_free(icl_image_folder *folder); /* after its streams; NULL is allowed */
/* The path of an image, counted from 0, as text of up to `room` bytes with its 0. EINVAL: there is no such image;
 * ENOTSUP: the path is longer. */
icl_status icl_image_folder_file(const icl_image_folder *folder, int image, char *path, size_t room);

/* Looks at every image on `threads` threads (0: one for each core), at the cost of opening it: the header is whole, the
 * size one that is read, and the file ends as its format does; one that is not ordinary in this way is decoded. *bad
 * gets how many cannot be read, *report a line for each of the first ten of them (NULL if there is none), freed with
 * icl_free(). With `drop` they are taken out of the folder: `count` and `labels` change, so no stream may be open.
 * ENOENT: a class would lose its last image. EINTERRUPTED: icl_engine_interrupt() was called. */
icl_status icl_image_folder_check(icl_image_folder *folder, const icl_engine *engine, int threads, bool drop, int *bad,
                                  char **report);

/* EINVAL, with its name, if one of two folders has a class that the other has not. */
icl_status icl_image_folder_compare(const icl_image_folder *a, const icl_image_folder *b);

/* All images of some folders as one, in their order, with the path of the first. EINVAL: a class is in one of them and
 * not in another; ENOTSUP: there are 2^31 images or more. */
icl_status icl_image_folder_concat(int count, const icl_image_folder *const *folders, icl_image_folder **result);

/* What images become: bytes of red, green and blue, size x size. */
typedef struct {
  int size;
  int resize;      /* the shorter side is brought to this before the middle is cut out; 0: it stays as it is */
  bool random;     /* instead a part of random place, size and ratio is resized */
  double area[2];  /* least and largest share of the image in that part: 0.08 and 1 */
  double ratio[2]; /* of its width to its height: 3/4 and 4/3 */
  uint32_t key[4]; /* of the draws, which depend on this and the number of the image alone */
  bool repeated;   /* of n images number i + k n, below 2^32, is image i once more, with other draws */
  int batch;       /* images of a batch; the last one has what is left */
  int threads;     /* that decode; 0: one for each core */
} icl_image_stream_options;

/* Decodes `count` images of a folder, whose numbers are in `order`, on threads of its own, a few batches ahead. The
 * order is copied; the folder must outlive the stream. EINVAL: an option or a number is out of range; ENOMEM; ENOTSUP:
 * so many threads cannot be started. */
typedef struct icl_image_stream icl_image_stream;
icl_status icl_image_stream_open(const icl_image_folder *folder, const icl_image_stream_options *options, int count,
                                 const int64_t *order, icl_image_stream **result);
/* The next batch, u8 (n, size, size, 3); NULL after the last one. EFORMAT, EIO, ...: an image could not be read; the
 * message names it. EINTERRUPTED: icl_engine_interrupt() was called while there was nothing to do but wait. EINVAL: the
 * stream was opened by a process that this one was forked from; here it can only be closed. */
icl_status icl_image_stream_next(icl_image_stream *stream, icl_engine *engine, icl_tensor **result);
void icl_image_stream_close(icl_image_stream *stream); /* at any time; NULL is allowed */

/* One image as it is: u8 (height, width, 3) of red, green and blue. ENOENT, EIO: it cannot be read; EFORMAT: damaged or
 * no image; ENOTSUP: an image of a form that is not read. Read are JPEG, PNG, WebP, TIFF, BMP, PNM, GIF, TGA and PSD;
 * pixels are those of Pillow. */
icl_status icl_image_read(icl_engine *engine, const char *path, icl_tensor **result);

/* How many images this process has decoded that became nearly white: grey in 16 bits, of which more than
 * nine pixels of ten are above 255. They are clipped there, as Pillow's convert("RGB") does it; someone who did not
 * expect that should bring them to 8 bits. */
int64_t icl_images_clipped(void);

/* ---- safetensors files ---- */

/* An array in host memory, row-major. */
typedef struct {
  const char *name;
  icl_dtype dtype;
  int rank;
  int32_t shape[ICL_MAX_RANK];
  const void *data;    /* aligned to a byte only when it comes from a file */
  const char *problem; /* NULL, or why an array of a file cannot be read; its data is then NULL, its rank 0 */
} icl_array;

typedef struct {
  const char *key, *value;
} icl_metadata;

/* What a file holds. Names, keys and values are UTF-8; no name and no key is there twice. */
typedef struct {
  int count, metadata_count;
  const icl_array *arrays;
  const icl_metadata *metadata;
} icl_safetensors;

/* Opens a file, which is mapped and must not be cut until it is freed; arrays come in the order of their data. Arrays
 * of I8, I16 and U16 become i32, of U32 and U64 i64, of F8_E4M3 and F8_E5M2 f32. One of a dtype, shape or value that
 * icl has not is listed with its problem, and the others can be read. ENOENT, EIO: it cannot be opened or is no regular
 * file; EFORMAT: damaged in whatever way, the message says where. A path may begin with ~/. */
icl_status icl_safetensors_read(const char *path, icl_safetensors **result);
void icl_safetensors_free(icl_safetensors *contents); /* of read; NULL is allowed */

/* Replaces the file as a whole or, after an error, not at all; of a symbolic link, the file that it leads to. EINVAL: a
 * name is not UTF-8, an array has a problem; EEXIST: a name is there twice; ENOENT, EIO: it cannot be written. Metadata
 * `checksum` of a value that begins with "crc32" becomes the checksum of the file. */
icl_status icl_safetensors_write(const char *path, const icl_safetensors *contents);

/* EFORMAT where the file is damaged: what icl_safetensors_read() finds, or its checksum is another one. A file without
 * one is fine as far as the former goes. */
icl_status icl_safetensors_verify(const char *path);

/* ---- networks in files ---- */

/* A network that icl saved: its weights with a description of what it computes, so that no Lua is needed to use it. */
typedef struct icl_network icl_network;

typedef struct {
  int height, width, channels;    /* of an image */
  int classes;                    /* how many logits an image gets */
  const char *const *class_names; /* NULL if they are not known */
  const double *mean, *std;       /* of each channel, for bytes divided by 255; NULL if they are not known */
  int resize, crop; /* what evaluation did to a picture: the shorter side to `resize` pixels (0: left as it was), then
                       the middle crop x crop; crop 0: all of it was resized to height x width */
} icl_network_facts;

/* Reads a file of weights or a checkpoint; not inside a step. EFORMAT: icl_safetensors_verify() finds it
 * damaged, or it has no description, or one of what cannot be computed; the message says which. The engine must outlive
 * the network. */
icl_status icl_network_read(icl_engine *engine, const char *path, icl_network **result);
void icl_network_free(icl_network *network); /* NULL is allowed */
const icl_network_facts *icl_network_about(const icl_network *network);

/* Logits f32 (n, classes) of images (n, height, width, channels): f32 that are normalised, or u8, which then are, with
 * mean and std; where the description says so, of one other height and width, too. Inside a step they are recorded,
 * outside evaluated. */
icl_status icl_network_apply(icl_network *network, icl_tensor *images, icl_tensor **logits);

/* A picture of any size as such an image, u8 (1, height, width, channels), brought to size as evaluation did it; grey
 * for a network of one channel. Errors as icl_image_read(). ENOTSUP: the network has neither 1 nor 3 channels. */
icl_status icl_network_image(const icl_network *network, const char *path, icl_tensor **result);

#ifdef __cplusplus
}
#endif
#endif
