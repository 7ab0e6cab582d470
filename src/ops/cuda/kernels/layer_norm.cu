// Layer normalisation of the rows of `x`, [n_rows, hidden]; a warp a row.
// From Rust: what `layer_norm.cuh` names.
#include "common.cuh"
#include "layer_norm.cuh"

extern "C" __global__ void layer_norm(const NUMBER* x, const float* weight, const float* bias, NUMBER* y,
                                      int n_rows, int n_packs, float epsilon) {
  int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= n_rows) return;
  Row held(x, row, n_packs, epsilon);
  Pack<NUMBER>* target = reinterpret_cast<Pack<NUMBER>*>(y) + (long long)row * n_packs;
#pragma unroll
  for (int p = 0; p < PACKS; p++) {
    int pack = p * WARP + lane;
    if (pack < n_packs) {
      Pack<NUMBER> result;
#pragma unroll
      for (int i = 0; i < Row::SIZE; i += 4) {
        float4 normal = held.normal(p, i, weight, bias);
        result.at[i] = from_float<NUMBER>(normal.x);
        result.at[i + 1] = from_float<NUMBER>(normal.y);
        result.at[i + 2] = from_float<NUMBER>(normal.z);
        result.at[i + 3] = from_float<NUMBER>(normal.w);
      }
      target[pack] = result;
    }
  }
}
