// The erf form of GELU, in place on `x`, [n_rows, columns]; a block a row. The tanh form is an epilogue of
// cuBLASLt and needs no kernel. From Rust: NUMBER.
#include "common.cuh"

extern "C" __global__ void gelu(NUMBER* x, int n_packs) {
  Pack<NUMBER>* row = reinterpret_cast<Pack<NUMBER>*>(x) + (long long)blockIdx.x * n_packs;
  for (int i = threadIdx.x; i < n_packs; i += blockDim.x) {
    Pack<NUMBER> pack = row[i];
#pragma unroll
    for (int k = 0; k < Pack<NUMBER>::SIZE; k++) {
      float value = to_float(pack.at[k]);
      pack.at[k] = from_float<NUMBER>(0.5f * value * (1.0f + erff(value * 0.70710678118654752f)));
    }
    row[i] = pack;
  }
}
