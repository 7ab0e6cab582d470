// Layer normalisation of the rows of `x`, [n_rows, hidden], with statistics in f32: the mean first,
// then the variance around it. A warp a row, which it keeps in registers, so x is read once.
// From Rust: NUMBER, and PACKS, the number of 16-byte packs that a lane holds at most.
#include "common.cuh"

extern "C" __global__ void layer_norm(const NUMBER* x, const float* weight, const float* bias, NUMBER* y,
                                      int n_rows, int n_packs, float epsilon) {
  constexpr int SIZE = Pack<NUMBER>::SIZE;
  int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= n_rows) return;
  const Pack<NUMBER>* source = reinterpret_cast<const Pack<NUMBER>*>(x) + (long long)row * n_packs;
  Pack<NUMBER>* target = reinterpret_cast<Pack<NUMBER>*>(y) + (long long)row * n_packs;
  float n = float(n_packs * SIZE);

  Pack<NUMBER> held[PACKS];
  float sum = 0;
#pragma unroll
  for (int p = 0; p < PACKS; p++) {
    int pack = p * WARP + lane;
    if (pack < n_packs) {
      held[p] = source[pack];
#pragma unroll
      for (int i = 0; i < SIZE; i++) sum += to_float(held[p].at[i]);
    }
  }
  float mean = warp_sum(sum) / n, squares = 0;
#pragma unroll
  for (int p = 0; p < PACKS; p++) {
    if (p * WARP + lane < n_packs) {
#pragma unroll
      for (int i = 0; i < SIZE; i++) {
        float centred = to_float(held[p].at[i]) - mean;
        squares += centred * centred;
      }
    }
  }
  float variance = warp_sum(squares) / n;
  // A variance that overflows would make every component 0. This is false for infinity and for NaN.
  bool finite = variance <= 3.402823466e38f;
  float scale = finite ? 1.0f / sqrtf(variance + epsilon) : __int_as_float(0x7fffffff);
#pragma unroll
  for (int p = 0; p < PACKS; p++) {
    int pack = p * WARP + lane;
    if (pack < n_packs) {
      Pack<NUMBER> result;
#pragma unroll
      for (int i = 0; i < SIZE; i += 4) {
        float4 w = reinterpret_cast<const float4*>(weight)[(pack * SIZE + i) / 4];
        float4 b = reinterpret_cast<const float4*>(bias)[(pack * SIZE + i) / 4];
        result.at[i] = from_float<NUMBER>((to_float(held[p].at[i]) - mean) * scale * w.x + b.x);
        result.at[i + 1] = from_float<NUMBER>((to_float(held[p].at[i + 1]) - mean) * scale * w.y + b.y);
        result.at[i + 2] = from_float<NUMBER>((to_float(held[p].at[i + 2]) - mean) * scale * w.z + b.z);
        result.at[i + 3] = from_float<NUMBER>((to_float(held[p].at[i + 3]) - mean) * scale * w.w + b.w);
      }
      target[pack] = result;
    }
  }
}
