/* wide_chain.cu - chains of pointwise ops in f64: of f64, i32 and i64, which f32 does not hold. */
#include "chain.cuh"

/* NaN becomes 0, and what lies outside stays at the limit. */
template <class Integer> DEVICE Integer to_integer(double x, double least, double most) {
  if (x != x)
    return 0;
  return x <= least ? (Integer)least : x >= most ? ~((Integer)1 << (sizeof(Integer) * 8 - 1)) : (Integer)x;
}

struct f64_access {
  typedef double real;
  enum { VALUES = PARTS * part<double>::VALUES, LOADS_TWO = false };

  static DEVICE_MEMBER double read(const void *data, int dtype, int64_t i) {
    switch (dtype) {
    case ICL_F32:
      return ((const float *)data)[i];
    case ICL_BF16:
      return __uint_as_float((unsigned)((const unsigned short *)data)[i] << 16);
    case ICL_F16:
      return __half2float(((const __half *)data)[i]);
    case ICL_F64:
      return ((const double *)data)[i];
    case ICL_I32:
      return ((const int32_t *)data)[i];
    case ICL_I64:
      return (double)((const int64_t *)data)[i];
    case ICL_BOOL:
      return ((const unsigned char *)data)[i] != 0;
    default: /* u8 */
      return ((const unsigned char *)data)[i];
    }
  }

  static DEVICE_MEMBER void write(void *data, int dtype, int64_t i, double x) {
    switch (dtype) {
    case ICL_F32:
      ((float *)data)[i] = (float)x;
      break;
    case ICL_BF16:
      ((__nv_bfloat16 *)data)[i] = __double2bfloat16(x);
      break;
    case ICL_F16:
      ((__half *)data)[i] = __double2half(x);
      break;
    case ICL_F64:
      ((double *)data)[i] = x;
      break;
    case ICL_I32:
      ((int32_t *)data)[i] = to_integer<int32_t>(x, -0x1p31, 0x1p31);
      break;
    case ICL_I64:
      ((int64_t *)data)[i] = to_integer<int64_t>(x, -0x1p63, 0x1p63);
      break;
    case ICL_BOOL:
      ((unsigned char *)data)[i] = x != 0;
      break;
    default:
      ((unsigned char *)data)[i] = (unsigned char)(x > 0 ? x < 255 ? x : 255 : 0);
      break;
    }
  }

  static DEVICE_MEMBER void read_all(const void *data, int dtype, int64_t first, double (&x)[VALUES]) {
    UNROLL
    for (int j = 0; j < VALUES; j++)
      x[j] = read(data, dtype, first + j);
  }
  static DEVICE_MEMBER void write_all(void *data, int dtype, int64_t first, const double (&x)[VALUES]) {
    UNROLL
    for (int j = 0; j < VALUES; j++)
      write(data, dtype, first + j, x[j]);
  }
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
