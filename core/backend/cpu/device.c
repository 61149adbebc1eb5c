/* device.c - the CPU as a device: opening, compiling, and the table of its functions. */
#include "backend/cpu/device.h"

#include <stdio.h>

#include "backend/cpu/program.h"
#include "backend/host.h"
#include "base/memory.h"

static icl_status open_device(const icl__device_options *options, void **device) {
  ICL__TRY(icl__cpu_select());
  icl__cpu_device *cpu = icl__calloc(1, sizeof *cpu);
  if (!cpu)
    return ICL_ENOMEM;
  cpu->threads = options->threads;
  cpu->profile = options->profile;
  cpu->check_nan = options->check_nan;
  cpu->processor = icl__conv_processor();
  icl_status status = icl__conv_forced(options->precise, &cpu->conv);
  if (status == ICL_OK && icl__dnnl_library)
    status = icl__dnnl_library->open(cpu->threads, &cpu->dnnl);
  if (status != ICL_OK) {
    icl__free(cpu);
    return status;
  }
  *device = cpu;
  return ICL_OK;
}

static void close_device(void *device) {
  icl__cpu_device *cpu = device;
  if (icl__dnnl_library)
    icl__dnnl_library->close(cpu->dnnl);
  icl__free(cpu);
}

void icl__cpu_describe(void *device, char *text, size_t size) {
  const icl__cpu_device *cpu = device;
  char units[128];
  icl__processor_describe(&cpu->processor, units, sizeof units);
  snprintf(text, size, "cpu: %s; %d threads, vector kernels %s, %s", units, cpu->threads, icl__cpu_isa(),
           icl__dnnl_library ? icl__dnnl_library->version() : "without oneDNN");
}

static void discard(void *device, void *program) {
  icl__cpu_program *p = program;
  (void)device;
  icl__free(p->taken);
  icl__free(p->added);
  icl__free(p->waiting);
  icl__free(p->request);
  icl__free(p);
}

static icl_status compile(void *device, icl__plan *plan, void **result) {
  icl__cpu_device *cpu = device;
  icl__cpu_program *program = icl__calloc(1, sizeof *program);
  if (!program)
    return ICL_ENOMEM;
  program->device = cpu;
  program->plan = plan;
  for (int k = 0; k < plan->outputs; k++)
    program->overwrites |= plan->in_place[k];
  for (int p = 1; p <= plan->phases; p++)
    if ((size_t)plan->phase[p].instructions > program->instructions)
      program->instructions = (size_t)plan->phase[p].instructions;
  program->taken = icl__calloc((size_t)plan->policy.shares, sizeof *program->taken);
  program->added = icl__calloc((size_t)plan->policy.shares * program->instructions, sizeof *program->added);
  program->waiting = icl__calloc(2 * (size_t)cpu->threads, sizeof *program->waiting);
  program->request = icl__calloc((size_t)plan->buckets, sizeof(icl__request *));
  if (!program->taken || !program->added || !program->waiting || !program->request) {
    discard(device, program);
    return ICL_ENOMEM;
  }
  *result = program;
  return ICL_OK;
}

const icl__backend icl__cpu_backend = {
    .abi = ICL__BACKEND_ABI,
    .name = "cpu",
    .precisions = "f32",
    .slow_f16 = true,
    .groups = true,
    .leaves_out = true,
    .open = open_device,
    .close = close_device,
    .describe = icl__cpu_describe,
    .rewrite = icl__cpu_rewrite,
    .takes_pitch = icl__cpu_takes_pitch,
    .lower = icl__cpu_lower,
    .forget = icl__cpu_forget,
    .compile = compile,
    .run = icl__cpu_run,
    .discard = discard,
    .profile = icl__cpu_profile,
};
