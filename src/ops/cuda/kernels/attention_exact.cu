// Attention inside each sequence of a packed batch, in f32 throughout: products by FMA, accurate
// exponentials. For any even head dimension up to 256; bf16 and f16 are storage types only.
//
// A block takes kBlockRows query rows of one head of one sequence, each warp kWarpRows of them, and walks
// over the keys kKeys at a time with an online softmax. Keys and values take turns in one tile of shared
// memory. For the scores a lane stands for a key, for the weighted values it stands for pairs of dimensions.
//
// What a row's result depends on is its own sequence alone, so it has the same bits in any batch.
//
// Launch: grid (tiles, heads), block kThreads, dynamic shared memory in bytes
// 4 * ((kBlockRows + kKeys) * row_stride(head_dim) + kBlockRows * kKeys), e.g. 21504 for head dim 64.

// From Rust: NUMBER, WARPS, and of a block ROWS of queries and KEYS of a tile.

#include "common.cuh"

#define INLINE __device__ __forceinline__

constexpr unsigned int kFullWarp = 0xffffffffu;

constexpr int kThreads = WARPS * 32;
constexpr int kBlockRows = ROWS, kWarpRows = ROWS / WARPS;
constexpr int kKeys = KEYS;
static_assert(ROWS % WARPS == 0, "every warp has as many rows");
static_assert(KEYS == 32, "a lane stands for a key");

// Blocks that should fit into a multiprocessor: they hide each other's loads, which nothing else does.
constexpr int kMinBlocks = 4;

// Two dimensions of each 64 belong to a lane, so 256 dimensions make four groups.
constexpr int kGroupDims = 64;
constexpr int kMaxGroups = 4;

// Floats from one row of shared memory to the next: an odd number of float4, so that eight lanes that read a
// float4 each from neighbouring rows use all banks.
INLINE int row_stride(int head_dim) {
    return ((head_dim + 3) / 4 | 1) * 4;
}

// Lanes that share a row when `items` are spread over them: a power of two, so that a warp divides evenly.
INLINE int lanes_per_row(int items) {
    int lanes = 32;
    while (lanes / 2 >= items) lanes /= 2;
    return lanes;
}

// Fills `n_rows` rows of shared memory with rotated rows; rows past the end become zeros.
template <class T>
INLINE void load_rotated(float* target, int n_rows, const T* source, size_t source_stride,
                         const float2* rope, int valid_rows, int head_dim) {
    const int half = head_dim / 2, lanes = lanes_per_row(half);
#pragma unroll 4
    for (int row = threadIdx.x / lanes; row < n_rows; row += kThreads / lanes) {
#pragma unroll 1
        for (int i = threadIdx.x % lanes; i < half; i += lanes) {
            float x = 0.0f, y = 0.0f;
            if (row < valid_rows) {
                const T* pair = source + row * source_stride + i;
                const float2 angle = __ldg(rope + static_cast<size_t>(row) * half + i);
                const float low = to_float(pair[0]), high = to_float(pair[half]);
                x = low * angle.x - high * angle.y;
                y = high * angle.x + low * angle.y;
            }
            target[row * row_stride(head_dim) + i] = x;
            target[row * row_stride(head_dim) + half + i] = y;
        }
    }
}

template <class T>
INLINE void load_plain(float* target, int n_rows, const T* source, size_t source_stride, int valid_rows,
                       int head_dim) {
    const int lanes = lanes_per_row(head_dim);
#pragma unroll 4
    for (int row = threadIdx.x / lanes; row < n_rows; row += kThreads / lanes) {
#pragma unroll 1
        for (int i = threadIdx.x % lanes; i < head_dim; i += lanes) {
            target[row * row_stride(head_dim) + i] =
                row < valid_rows ? to_float(source[row * source_stride + i]) : 0.0f;
        }
    }
}

// One warp's rows. Each lane holds its own share of the sums and of the output's dimensions.
struct Rows {
    float2 out[kWarpRows][kMaxGroups];
    float sum[kWarpRows];
    float max[kWarpRows];
};

// The scores of this lane's key against the warp's rows.
INLINE void score(float (&scores)[kWarpRows], const float* queries, const float* keys, int stride,
                  int head_dim, int lane) {
#pragma unroll
    for (int r = 0; r < kWarpRows; ++r) scores[r] = 0.0f;
#pragma unroll 2
    for (int dim = 0; dim < head_dim; dim += 4) {
        const float4 k = *reinterpret_cast<const float4*>(keys + lane * stride + dim);
#pragma unroll
        for (int r = 0; r < kWarpRows; ++r) {
            const float4 q = *reinterpret_cast<const float4*>(queries + r * stride + dim);
            scores[r] = fmaf(q.x, k.x, fmaf(q.y, k.y, fmaf(q.z, k.z, fmaf(q.w, k.w, scores[r]))));
        }
    }
}

// Writes the weights 2^(score - max) to shared memory, and tells by which factors older sums must shrink.
INLINE void weigh(float* weights, float (&factors)[kWarpRows], Rows& rows, const float (&scores)[kWarpRows],
                  bool valid, float scale_log2, int lane) {
#pragma unroll
    for (int r = 0; r < kWarpRows; ++r) {
        const float own = valid ? scores[r] : -__int_as_float(0x7f800000);
        float highest = fmaxf(rows.max[r], own);
        for (int other = 16; other > 0; other /= 2) {
            highest = fmaxf(highest, __shfl_xor_sync(kFullWarp, highest, other));
        }
        // Scaling the difference, not the scores, keeps the exponent's error below that of exp2f itself.
        factors[r] = exp2f((rows.max[r] - highest) * scale_log2);
        const float weight = exp2f((own - highest) * scale_log2);
        rows.max[r] = highest;
        rows.sum[r] = fmaf(rows.sum[r], factors[r], weight);
        weights[r * kKeys + lane] = weight;
    }
}

// out = out * factor + weights * values. The tile's part is summed up by itself first: fewer roundings at
// the size of the whole sum, which counts for long sequences.
INLINE void accumulate(Rows& rows, const float (&factors)[kWarpRows], const float* weights,
                       const float* values, int stride, int head_dim, int lane) {
#pragma unroll
    for (int group = 0; group < kMaxGroups; ++group) {
        if (group * kGroupDims >= head_dim) break;
        // Lanes past the last dimension repeat its pair, and write nothing in the end.
        const int dim = min(group * kGroupDims + 2 * lane, head_dim - 2);
        float2 part[kWarpRows] = {};
#pragma unroll 1
        for (int key = 0; key < kKeys; key += 4) {
            float2 v[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                v[i] = *reinterpret_cast<const float2*>(values + (key + i) * stride + dim);
            }
#pragma unroll
            for (int r = 0; r < kWarpRows; ++r) {
                const float4 w = *reinterpret_cast<const float4*>(weights + r * kKeys + key);
                const float2 p = part[r];
                part[r].x = fmaf(w.x, v[0].x, fmaf(w.y, v[1].x, fmaf(w.z, v[2].x, fmaf(w.w, v[3].x, p.x))));
                part[r].y = fmaf(w.x, v[0].y, fmaf(w.y, v[1].y, fmaf(w.z, v[2].y, fmaf(w.w, v[3].y, p.y))));
            }
        }
#pragma unroll
        for (int r = 0; r < kWarpRows; ++r) {
            rows.out[r][group].x = fmaf(rows.out[r][group].x, factors[r], part[r].x);
            rows.out[r][group].y = fmaf(rows.out[r][group].y, factors[r], part[r].y);
        }
    }
}

template <class T>
INLINE void write_rows(const Rows& rows, T* out, int hidden, int valid_rows, int head_dim, int lane) {
#pragma unroll
    for (int r = 0; r < kWarpRows; ++r) {
        float sum = rows.sum[r];
        for (int other = 16; other > 0; other /= 2) sum += __shfl_xor_sync(kFullWarp, sum, other);
#pragma unroll
        for (int group = 0; group < kMaxGroups; ++group) {
            const int dim = group * kGroupDims + 2 * lane;
            if (r < valid_rows && dim < head_dim) {
                T* target = out + static_cast<size_t>(r) * hidden + dim;
                target[0] = from_float<T>(rows.out[r][group].x / sum);
                target[1] = from_float<T>(rows.out[r][group].y / sum);
            }
        }
    }
}

template <class T>
INLINE void run(const T* qkv, T* out, int4 tile, int head, const float2* rope, int hidden, float scale_log2,
                int head_dim, float* shared) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int first_token = tile.x, length = tile.y, block_row = tile.z;
    const int first_row = block_row + warp * kWarpRows;
    const int stride = row_stride(head_dim), half = head_dim / 2;
    const size_t source_stride = 3 * static_cast<size_t>(hidden);
    const size_t head_column = static_cast<size_t>(head) * head_dim;
    const T* sequence = qkv + first_token * source_stride + head_column;

    float* queries = shared;
    float* staged = queries + kBlockRows * stride;
    float* weights = staged + kKeys * stride + warp * kWarpRows * kKeys;
    const float* own_queries = queries + warp * kWarpRows * stride;

    // Dot products read whole float4, so what lies between the head dimension and the next one has to be 0.
    for (int row = threadIdx.x; row < kBlockRows + kKeys; row += kThreads) {
        for (int dim = head_dim; dim < stride; ++dim) shared[row * stride + dim] = 0.0f;
    }
    load_rotated(queries, kBlockRows, sequence + block_row * source_stride, source_stride,
                 rope + static_cast<size_t>(block_row) * half, length - block_row, head_dim);

    Rows rows = {};
#pragma unroll
    for (int r = 0; r < kWarpRows; ++r) rows.max[r] = -__int_as_float(0x7f800000);

    for (int first_key = 0; first_key < length; first_key += kKeys) {
        const int n_keys = length - first_key;
        const T* source = sequence + first_key * source_stride + hidden;
        const bool active = first_row < length;
        float factors[kWarpRows];

        load_rotated(staged, kKeys, source, source_stride, rope + static_cast<size_t>(first_key) * half,
                     n_keys, head_dim);
        __syncthreads();
        if (active) {
            float scores[kWarpRows];
            score(scores, own_queries, staged, stride, head_dim, lane);
            weigh(weights, factors, rows, scores, lane < n_keys, scale_log2, lane);
        }
        __syncthreads();
        load_plain(staged, kKeys, source + hidden, source_stride, n_keys, head_dim);
        __syncthreads();
        if (active) accumulate(rows, factors, weights, staged, stride, head_dim, lane);
        __syncthreads();
    }
    T* target = out + (static_cast<size_t>(first_token) + first_row) * hidden + head_column;
    write_rows(rows, target, hidden, length - first_row, head_dim, lane);
}

extern "C" __global__ void __launch_bounds__(kThreads, kMinBlocks)
    attention_exact(const NUMBER* __restrict__ qkv, NUMBER* __restrict__ out, const int4* __restrict__ tiles,
                    const float2* __restrict__ rope, int hidden, float scale_log2, int head_dim) {
    extern __shared__ __align__(16) float shared[];
    run(qkv, out, tiles[blockIdx.x], blockIdx.y, rope, hidden, scale_log2, head_dim, shared);
}
