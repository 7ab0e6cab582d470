// Token embedding: the rows of `table`, [vocabulary, hidden], that `input_ids`, [n_rows], name.
// A warp a row. From Rust: NUMBER.
#include "common.cuh"

extern "C" __global__ void embedding(const NUMBER* table, const int* input_ids, NUMBER* y, int n_rows,
                                     int n_packs) {
  int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
  if (row >= n_rows) return;
  typedef Pack<NUMBER> P;
  const P* source = reinterpret_cast<const P*>(table) + (long long)input_ids[row] * n_packs;
  P* target = reinterpret_cast<P*>(y) + (long long)row * n_packs;
  for (int i = threadIdx.x % WARP; i < n_packs; i += WARP) target[i] = source[i];
}
