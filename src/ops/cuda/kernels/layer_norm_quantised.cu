// Layer normalisation of the rows of `x`, [n_rows, hidden], to signed bytes, with a scale a row in `scales`; a warp a
// row. From Rust: what `layer_norm.cuh` names.
#include "common.cuh"
#include "layer_norm.cuh"
#include "bytes.cuh"

extern "C" __global__ void layer_norm_quantised(const NUMBER* x, const float* weight, const float* bias,
                                                unsigned char* y, float* scales, int n_rows, int n_packs,
                                                float epsilon) {
  int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= n_rows) return;
  Row held(x, row, n_packs, epsilon);
  float4 normal[PACKS][Row::SIZE / 4];
  unsigned greatest = 0;
#pragma unroll
  for (int p = 0; p < PACKS; p++) {
    if (p * WARP + lane < n_packs) {
#pragma unroll
      for (int i = 0; i < Row::SIZE / 4; i++) {
        float4 v = normal[p][i] = held.normal(p, 4 * i, weight, bias);
        greatest = max(greatest, max(max(magnitude(v.x), magnitude(v.y)), max(magnitude(v.z), magnitude(v.w))));
      }
    }
  }
  float top = warp_greatest(greatest), factor = steps(top);
  if (lane == 0) scales[row] = top / 127.0f;
  Bytes<NUMBER>* target = reinterpret_cast<Bytes<NUMBER>*>(y) + (long long)row * n_packs;
#pragma unroll
  for (int p = 0; p < PACKS; p++) {
    int pack = p * WARP + lane;
    if (pack < n_packs) {
      Bytes<NUMBER> bytes;
#pragma unroll
      for (int i = 0; i < Row::SIZE / 4; i++) {
        float4 v = normal[p][i];
        bytes.at[i] = low_bytes(nearest(v.x, factor), nearest(v.y, factor), nearest(v.z, factor), nearest(v.w, factor));
      }
      target[pack] = bytes;
    }
  }
}
