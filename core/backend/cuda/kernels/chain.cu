/* chain.cu - chains of pointwise ops in f32. */
#include "chain.cuh"
#include "values.cuh"

struct f32_access {
  typedef float real;
  typedef raw<EIGHT> words;
  enum { LOADS_TWO = true };
  static DEVICE_MEMBER bool has_words(int dtype) { return dtype == ICL_F32 || dtype == ICL_BF16 || dtype == ICL_F16; }
  static DEVICE_MEMBER float read(const void *data, int dtype, int64_t i) { return load_one(data, dtype, i); }
  static DEVICE_MEMBER void write(void *data, int dtype, int64_t i, float x) { store_one(data, dtype, i, x); }
  static DEVICE_MEMBER void read_all(const void *data, int dtype, int64_t first, float (&x)[EIGHT]) {
    load_eight(data, dtype, first, x);
  }
  static DEVICE_MEMBER void write_all(void *data, int dtype, int64_t first, const float (&x)[EIGHT]) {
    store_eight(data, dtype, first, x);
  }
  static DEVICE_MEMBER float round(float x, int dtype) { return rounded(x, dtype); }
};

__global__ void __launch_bounds__(CHAIN_THREADS, CHAIN_BLOCKS) chain_f32(const __grid_constant__ icl__chain c) {
  ICL_DYNAMIC_SHARED(void, shared);
  run_chain<f32_access>(c, blockIdx.x, shared);
}

__global__ void __launch_bounds__(CHAIN_THREADS, CHAIN_BLOCKS)
    chains_f32(const icl__chain *chains, const icl__chain_block *blocks) {
  ICL_DYNAMIC_SHARED(void, shared);
  icl__chain_block b = blocks[blockIdx.x];
  run_chain<f32_access>(chains[b.chain], b.block, shared);
}

/* wide_chain.cu */
cudaError_t icl__cuda_wide_chain(const icl__chain *chain, unsigned shared_bytes, cudaStream_t stream);
cudaError_t icl__cuda_wide_chains(const icl__chain *chains, const icl__chain_block *blocks, int count,
                                  unsigned shared_bytes, cudaStream_t stream);

static unsigned shared_bytes_of(int slots) { return (unsigned)slots * PARTS * CHAIN_THREADS * 16; }

cudaError_t icl__cuda_chain(const icl__chain *chain, cudaStream_t stream) {
  unsigned shared_bytes = shared_bytes_of(chain->slots);
  if (chain->wide)
    return icl__cuda_wide_chain(chain, shared_bytes, stream);
  return ICL_LAUNCH(chain_f32, dim3(icl__blocks(chain->count, ICL__CHAIN_BLOCK_F32)), dim3(CHAIN_THREADS), shared_bytes,
                    stream, *chain);
}

cudaError_t icl__cuda_chains(const icl__chain *chains, const icl__chain_block *blocks, int count, int slots, bool wide,
                             cudaStream_t stream) {
  unsigned shared_bytes = shared_bytes_of(slots);
  if (wide)
    return icl__cuda_wide_chains(chains, blocks, count, shared_bytes, stream);
  return ICL_LAUNCH(chains_f32, dim3((unsigned)count), dim3(CHAIN_THREADS), shared_bytes, stream, chains, blocks);
}
