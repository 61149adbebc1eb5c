/* wide_chain.cu - chains of pointwise ops in f64: of f64, i32 and i64, which f32 does not hold. */
#include "chain.cuh"
#include "wide_values.cuh"

struct f64_access : f64_values {
  enum { VALUES = PARTS * part<double>::VALUES, LOADS_TWO = false };

  static DEVICE_MEMBER double round(double x, int dtype) {
    if (dtype == ICL_BF16)
      return __bfloat162float(__double2bfloat16(x));
    return dtype == ICL_F16 ? __half2float(__double2half(x)) : x;
  }
};

__global__ void THREADS_A_BLOCK(CHAIN_THREADS) chain_f64(const __grid_constant__ icl__chain c) {
  ICL_DYNAMIC_SHARED(void, shared);
  run_chain<f64_access>(c, blockIdx.x, shared);
}

__global__ void THREADS_A_BLOCK(CHAIN_THREADS) chains_f64(const icl__chain *chains, const icl__chain_block *blocks) {
  ICL_DYNAMIC_SHARED(void, shared);
  icl__chain_block b = blocks[blockIdx.x];
  run_chain<f64_access>(chains[b.chain], b.block, shared);
}

cudaError_t icl__cuda_wide_chain(const icl__chain *chain, unsigned shared_bytes, cudaStream_t stream) {
  return ICL_LAUNCH(chain_f64, dim3(icl__blocks(chain->count, ICL__CHAIN_BLOCK_F64)), dim3(CHAIN_THREADS), shared_bytes,
                    stream, *chain);
}

cudaError_t icl__cuda_wide_chains(const icl__chain *chains, const icl__chain_block *blocks, int count,
                                  unsigned shared_bytes, cudaStream_t stream) {
  return ICL_LAUNCH(chains_f64, dim3((unsigned)count), dim3(CHAIN_THREADS), shared_bytes, stream, chains, blocks);
}
