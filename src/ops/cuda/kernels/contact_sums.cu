// What each residue attends to all residues with, plus what they attend to it with, in the heads of a layer. From
// Rust: ROWS, the residues of a tile.
//
// A block takes a head of a sequence. Tiles are added in their order.
#include "contacts.cuh"

constexpr int THREADS = 256;

// of_rows: [heads, T], of_columns: [tiles, heads, T], both as `contacts` writes them. weights: [heads]. sums:
// [heads, T]. factors: [heads, n], a head's weight divided by the sum of the sequence's sums.
extern "C" __global__ void contact_sums(const float* of_rows, const float* of_columns, const int* cu_seqlens,
                                        const float* weights, float* sums, float* factors, int n_tokens, int n_heads) {
  int sequence = blockIdx.x, head = blockIdx.y;
  int n = residues(cu_seqlens, sequence), first_token = cu_seqlens[sequence] + 1;
  int n_tiles = (n + ROWS - 1) / ROWS;
  float total = 0.0f;
  for (int residue = threadIdx.x; residue < n; residue += THREADS) {
    int token = first_token + residue;
    float sum = of_rows[(long long)head * n_tokens + token];
    for (int tile = 0; tile < n_tiles; tile++)
      sum += of_columns[((long long)tile * n_heads + head) * n_tokens + token];
    sums[(long long)head * n_tokens + token] = sum;
    total += sum;
  }
  total = block_sum<float, THREADS>(total);
  // A head of which no residue attends to another one has nothing to be corrected.
  if (threadIdx.x == 0) factors[head * gridDim.x + sequence] = weights[head] / fmaxf(total, 1.17549435e-38f);
}
