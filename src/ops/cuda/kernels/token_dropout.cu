// Token dropout, in place on the embeddings `x`, [rows, hidden], of the tokens `input_ids`: those of MASK become
// zero, and the others of their sequence are divided by the share that is not masked. Sequences without any stay as
// they are. A block a sequence. From Rust: NUMBER, MASK.
#include "common.cuh"

extern "C" __global__ void token_dropout(NUMBER* x, const int* input_ids, const int* cu_seqlens, int n_packs) {
  __shared__ int n_masks;
  int first = cu_seqlens[blockIdx.x], last = cu_seqlens[blockIdx.x + 1];
  if (threadIdx.x == 0) n_masks = 0;
  __syncthreads();
  for (int row = first + threadIdx.x; row < last; row += blockDim.x)
    if (input_ids[row] == MASK) atomicAdd(&n_masks, 1);
  __syncthreads();
  if (n_masks == 0) return;
  float kept = 1.0f - float(n_masks) / float(last - first);

  typedef Pack<NUMBER> P;
  for (int row = first + threadIdx.x / WARP; row < last; row += blockDim.x / WARP) {
    bool is_mask = input_ids[row] == MASK;
    P* target = reinterpret_cast<P*>(x) + (long long)row * n_packs;
    for (int i = threadIdx.x % WARP; i < n_packs; i += WARP) {
      P pack = target[i];
#pragma unroll
      for (int k = 0; k < P::SIZE; k++)
        pack.at[k] = from_float<NUMBER>(is_mask ? 0.0f : to_float(pack.at[k]) / kept);
      target[i] = pack;
    }
  }
}
