// Attention inside each sequence of a packed batch, on the tensor cores of compute capability 8.0 and newer.
//
// A block takes kBlockRows query rows of one head of one sequence and walks over the sequence's keys and
// values, kKeys at a time, with an online softmax. Keys and values have two stages in shared memory, which
// cp.async fills. Each warp rotates (RoPE) in place the key rows that it copied itself, so one barrier for
// each tile is enough:
//
//   barrier, start copying tile t + 1, scores, softmax, weighted values of tile t, rotate keys of tile t + 1
//
// What a row's result depends on is its own sequence alone, so it has the same bits in any batch.
//
// Launch: grid (tiles, heads), block kThreads, dynamic shared memory Attention<...>::kSharedBytes:
// 12288 bytes for head dim 16, 24576 for 24 and 32, 49152 for 64, 81920 for 128.
//
// From Rust: NUMBER, HEAD_DIM, WARPS, and of a block ROWS of queries, KEYS of a tile and SHARED_BYTES. Queries
// stay in registers up to MOST_HELD_DIM dimensions of a head. MIN_BLOCKS is the number of blocks that should fit
// into a multiprocessor: it bounds the registers.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

typedef unsigned int u32;

#define INLINE __device__ __forceinline__

// Loops over fragments have to unroll, or the fragments would not stay in registers.
#define UNROLL _Pragma("unroll")

constexpr u32 kFullWarp = 0xffffffffu;

// Each warp takes 32 query rows: each matrix that it loads from shared memory then serves two products.
constexpr int kWarps = WARPS, kThreads = kWarps * 32;
constexpr int kBlockRows = ROWS, kWarpRows = kBlockRows / kWarps, kRowTiles = kWarpRows / 16;
static_assert(kRowTiles * 16 * kWarps == kBlockRows, "every warp has whole tiles of rows");

INLINE float minus_infinity() { return -__int_as_float(0x7f800000); }

// A row's running maximum may lag behind by this power of two before its sums are rescaled. Weights reach
// 2^8 at most then, which f16, bf16 and the f32 sums take without loss, and most tiles skip the rescaling.
constexpr float kMaxLagLog2 = 8.0f;

// Rounding of two f32 to a word, and c += a * b for 16 x 8 results of 16 products each.
#define PACK_AND_MULTIPLY_ADD(TYPE)                                                                        \
    static INLINE u32 pack(float low, float high) {                                                        \
        u32 pair;                                                                                          \
        asm("cvt.rn." TYPE "x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));                       \
        return pair;                                                                                       \
    }                                                                                                      \
    static INLINE void multiply_add(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {                    \
        asm("mma.sync.aligned.m16n8k16.row.col.f32." TYPE "." TYPE ".f32"                                  \
            " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                                       \
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                                               \
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));                               \
    }

template <typename T> struct Format;

template <> struct Format<__nv_bfloat16> {
    static constexpr u32 kOnes = 0x3f803f80u;
    PACK_AND_MULTIPLY_ADD("bf16")
    static INLINE float2 unpack(u32 pair) {
        return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u));
    }
};

template <> struct Format<__half> {
    static constexpr u32 kOnes = 0x3c003c00u;
    PACK_AND_MULTIPLY_ADD("f16")
    static INLINE float2 unpack(u32 pair) { return __half22float2(reinterpret_cast<const __half2&>(pair)); }
};

INLINE u32 shared_address(const void* p) { return static_cast<u32>(__cvta_generic_to_shared(p)); }

INLINE float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

INLINE void load_matrices(u32 (&m)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3]) : "r"(address));
}

INLINE void load_matrices_transposed(u32 (&m)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3]) : "r"(address));
}

// Copies 16 bytes, or writes 16 zero bytes and reads nothing.
INLINE void copy_chunk(u32 target, const void* source, bool valid) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :: "r"(target), "l"(source), "r"(valid ? 16 : 0) : "memory");
}

INLINE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits for this warp's own copies, all but the newest kPending groups, and shows them to the whole warp.
template <int kPending> INLINE void wait_for_own_copies() {
    asm volatile("cp.async.wait_group %0;" :: "n"(kPending) : "memory");
    __syncwarp();
}

template <typename T, int kHeadDim, int kKeys>
struct Attention {
    typedef ::Format<T> Format;

    // Head dim 24 becomes 32 by zeros in shared memory; the other head dims are multiples of 16 already.
    static constexpr int kPaddedDim = (kHeadDim + 15) / 16 * 16;
    static constexpr int kDimSteps = kPaddedDim / 16, kOutTiles = kHeadDim / 8, kKeySteps = kKeys / 16;
    static constexpr int kWarpKeys = kKeys / kWarps;

    static constexpr int kRowBytes = kPaddedDim * 2, kRowChunks = kRowBytes / 16;
    static constexpr int kStageBytes = kKeys * kRowBytes, kQueryBytes = kBlockRows * kRowBytes;
    static constexpr int kWarpQueryBytes = kWarpRows * kRowBytes, kWarpAngleBytes = kWarpKeys * kHeadDim * 4;

    // Query fragments stay in registers where the accumulators leave room for them. Then their shared memory
    // is free for the angles of the next tile's keys.
    static constexpr bool kQueriesInRegisters = kHeadDim <= MOST_HELD_DIM;
    static constexpr int kHeldDimSteps = kQueriesInRegisters ? kDimSteps : 1;
    static constexpr int kAngleBytes = kQueriesInRegisters ? 0 : kWarps * kWarpAngleBytes;
    static constexpr int kSharedBytes = kQueryBytes + 4 * kStageBytes + kAngleBytes;

    static_assert(kWarpKeys % 8 == 0, "a warp's own rows must begin at a multiple of the swizzle's period");
    static_assert(kWarpAngleBytes <= kWarpQueryBytes, "angles take the queries' place");

    // One warp's rows; lane l holds rows l / 4 and l / 4 + 8 of each tile of 16, as mma.sync lays them out.
    struct Rows {
        float out[kRowTiles][kOutTiles][4];
        float sum[kRowTiles][4];
        float max[kRowTiles][2];
    };

    typedef float Scores[kRowTiles][2 * kKeySteps][4];
    typedef u32 Queries[kRowTiles][kHeldDimSteps][4];

    // Spreads equal chunks of 8 rows over all banks, for ldmatrix. The lowest row bit flips the highest
    // chunk bit, so the low halves of neighbouring rows do not share banks either, for the rotation.
    static INLINE int swizzle(int row) {
        constexpr int kRowsPerLine = kRowBytes < 128 ? 128 / kRowBytes : 1;
        constexpr int kPatterns = kRowChunks < 8 ? kRowChunks : 8;
        const int line = row / kRowsPerLine % kPatterns;
        return (line % 2) * (kPatterns / 2) | line / 2;
    }

    static INLINE int chunk_offset(int row, int chunk) {
        return row * kRowBytes + (chunk ^ swizzle(row)) * 16;
    }
    static INLINE int word_offset(int row, int word) { return chunk_offset(row, word / 4) + word % 4 * 4; }

    // Starts copying kRows rows; rows from `valid_rows` on, and the padding of head dim 24, become zeros.
    template <int kRows>
    static INLINE void copy_rows(char* target, const T* source, size_t stride, int valid_rows, int lane) {
        constexpr int kRowsPerCopy = 32 / kRowChunks;
        static_assert(kRows % kRowsPerCopy == 0, "whole warps copy");
        const int chunk = lane % kRowChunks;
        UNROLL for (int first = 0; first < kRows; first += kRowsPerCopy) {
            const int row = first + lane / kRowChunks;
            copy_chunk(shared_address(target + chunk_offset(row, chunk)), source + row * stride + chunk * 8,
                       row < valid_rows && chunk < kHeadDim / 8);
        }
    }

    // A lane rotates two neighbouring pairs of dimensions at a time, i.e. one 32-bit word of each half of a
    // row: so reads of the table coalesce, and head dim 24 is no special case (two lanes have no word).
    static constexpr int kHalfWords = kHeadDim / 4, kWordLanes = kPaddedDim / 4;
    static constexpr int kRotatedRows = 32 / kWordLanes;

    template <int kRows> using Angles = float4[kRows / kRotatedRows];

    // Starts copying the angles of this warp's keys, 16 bytes for each word: the table's rows lie densely.
    static INLINE void copy_angles(char* target, const float2* rope, int valid_rows, int lane) {
        UNROLL for (int i = lane; i < kWarpKeys * kHalfWords; i += 32) {
            copy_chunk(shared_address(target) + i * 16, rope + i * 2, i < valid_rows * kHalfWords);
        }
    }

    template <int kRows>
    static INLINE void read_angles(Angles<kRows>& angles, const float2* rope, int valid_rows, int lane) {
        const int word = lane % kWordLanes;
        UNROLL for (int step = 0; step < kRows / kRotatedRows; ++step) {
            const int row = step * kRotatedRows + lane / kWordLanes;
            angles[step] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (row < valid_rows && word < kHalfWords) {
                angles[step] = *reinterpret_cast<const float4*>(rope + row * (kHeadDim / 2) + word * 2);
            }
        }
    }

    // Rotates kRows rows in place. Rows past the end are zeros and stay so. All words are read before the
    // first is written: the compiler cannot tell them apart, and would wait for each step's reads in turn.
    template <int kRows>
    static INLINE void rotate_rows(char* rows, const Angles<kRows>& angles, int lane) {
        constexpr int kSteps = kRows / kRotatedRows;
        const int word = lane % kWordLanes;
        if (word >= kHalfWords) return;
        u32 low[kSteps], high[kSteps];
        UNROLL for (int step = 0; step < kSteps; ++step) {
            const int row = step * kRotatedRows + lane / kWordLanes;
            low[step] = *reinterpret_cast<const u32*>(rows + word_offset(row, word));
            high[step] = *reinterpret_cast<const u32*>(rows + word_offset(row, word + kHalfWords));
        }
        UNROLL for (int step = 0; step < kSteps; ++step) {
            const int row = step * kRotatedRows + lane / kWordLanes;
            const float2 x = Format::unpack(low[step]), y = Format::unpack(high[step]);
            const float4 angle = angles[step];
            *reinterpret_cast<u32*>(rows + word_offset(row, word)) =
                Format::pack(x.x * angle.x - y.x * angle.y, x.y * angle.z - y.y * angle.w);
            *reinterpret_cast<u32*>(rows + word_offset(row, word + kHalfWords)) =
                Format::pack(y.x * angle.x + x.x * angle.y, y.y * angle.z + x.y * angle.w);
        }
    }

    static INLINE void load_queries(u32 (&fragment)[4], const char* queries, int row_tile, int dim_step,
                                    int lane) {
        load_matrices(fragment, shared_address(queries + row_tile * 16 * kRowBytes
                                               + chunk_offset(lane % 16, dim_step * 2 + lane / 16)));
    }

    // scores = queries * keys^T. In the tail tile, steps of 16 keys past the end are left out.
    template <bool kTail>
    static INLINE void score(Scores& scores, const Queries& held, const char* queries, const char* keys,
                             int n_keys, int lane) {
        UNROLL for (int dim_step = 0; dim_step < kDimSteps; ++dim_step) {
            u32 a[kRowTiles][4];
            UNROLL for (int m = 0; m < kRowTiles; ++m) {
                if constexpr (kQueriesInRegisters) {
                    UNROLL for (int i = 0; i < 4; ++i) a[m][i] = held[m][dim_step][i];
                } else {
                    load_queries(a[m], queries, m, dim_step, lane);
                }
            }
            UNROLL for (int key_step = 0; key_step < kKeySteps; ++key_step) {
                if (kTail && key_step * 16 >= n_keys) continue;
                u32 b[4];
                load_matrices(b, shared_address(keys + key_step * 16 * kRowBytes
                                                + chunk_offset(lane % 8 + lane / 16 * 8,
                                                               dim_step * 2 + lane / 8 % 2)));
                UNROLL for (int m = 0; m < kRowTiles; ++m) {
                    Format::multiply_add(scores[m][2 * key_step], a[m], b[0], b[1]);
                    Format::multiply_add(scores[m][2 * key_step + 1], a[m], b[2], b[3]);
                }
            }
        }
    }

    static INLINE void mask(Scores& scores, int n_keys, int lane) {
        UNROLL for (int m = 0; m < kRowTiles; ++m) {
            UNROLL for (int i = 0; i < 8 * kKeySteps; ++i) {
                if (i / 4 * 8 + lane % 4 * 2 + i % 2 >= n_keys) scores[m][i / 4][i % 4] = minus_infinity();
            }
        }
    }

    // Turns scores into weights 2^(score - max), and rescales the sums where the maximum has grown too far.
    static INLINE void weigh(Scores& scores, Rows& rows, float scale_log2) {
        float factors[kRowTiles][2];
        bool rescale = false;
        UNROLL for (int m = 0; m < kRowTiles; ++m) {
            UNROLL for (int half = 0; half < 2; ++half) {
                float highest = scores[m][0][2 * half];
                UNROLL for (int n = 0; n < 2 * kKeySteps; ++n) {
                    highest = fmaxf(highest, fmaxf(scores[m][n][2 * half], scores[m][n][2 * half + 1]));
                }
                highest = fmaxf(highest, __shfl_xor_sync(kFullWarp, highest, 1));
                highest = fmaxf(highest, __shfl_xor_sync(kFullWarp, highest, 2));

                const float before = rows.max[m][half];
                const bool lags = (highest - before) * scale_log2 > kMaxLagLog2;
                const float now = lags ? highest : before;
                rows.max[m][half] = now;
                factors[m][half] = lags ? exp2_fast((before - now) * scale_log2) : 1.0f;
                rescale |= lags;

                const float shift = now * scale_log2;
                UNROLL for (int i = 0; i < 4 * kKeySteps; ++i) {
                    float& score = scores[m][i / 2][2 * half + i % 2];
                    score = exp2_fast(score * scale_log2 - shift);
                }
            }
        }
        // A factor of exactly 1 changes no bit, so rows do not depend on the other rows of their warp.
        if (__any_sync(kFullWarp, rescale)) {
            UNROLL for (int m = 0; m < kRowTiles; ++m) {
                UNROLL for (int i = 0; i < 4; ++i) {
                    rows.sum[m][i] *= factors[m][i / 2];
                    UNROLL for (int n = 0; n < kOutTiles; ++n) rows.out[m][n][i] *= factors[m][i / 2];
                }
            }
        }
    }

    // out += weights * values, and sum += weights * ones: so the sum is that of the rounded weights.
    template <bool kTail>
    static INLINE void accumulate(Rows& rows, const Scores& weights, const char* values, int n_keys,
                                  int lane) {
        UNROLL for (int key_step = 0; key_step < kKeySteps; ++key_step) {
            if (kTail && key_step * 16 >= n_keys) continue;
            u32 a[kRowTiles][4];
            UNROLL for (int m = 0; m < kRowTiles; ++m) {
                UNROLL for (int i = 0; i < 4; ++i) {
                    const float(&w)[4] = weights[m][2 * key_step + i / 2];
                    a[m][i] = Format::pack(w[i % 2 * 2], w[i % 2 * 2 + 1]);
                }
                Format::multiply_add(rows.sum[m], a[m], Format::kOnes, Format::kOnes);
            }
            UNROLL for (int n = 0; n < kOutTiles; n += 2) {
                u32 b[4];
                load_matrices_transposed(b, shared_address(values + key_step * 16 * kRowBytes
                                                           + chunk_offset(lane % 16, n + lane / 16)));
                UNROLL for (int m = 0; m < kRowTiles; ++m) {
                    Format::multiply_add(rows.out[m][n], a[m], b[0], b[1]);
                    if (n + 1 < kOutTiles) Format::multiply_add(rows.out[m][n + 1], a[m], b[2], b[3]);
                }
            }
        }
    }

    template <bool kTail>
    static INLINE void attend(Rows& rows, const Queries& held, const char* queries, const char* keys,
                              const char* values, int n_keys, float scale_log2, int lane) {
        Scores scores = {};
        score<kTail>(scores, held, queries, keys, n_keys, lane);
        if (kTail) mask(scores, n_keys, lane);
        weigh(scores, rows, scale_log2);
        accumulate<kTail>(rows, scores, values, n_keys, lane);
    }

    // Divides by the sums and writes the rows, through the warp's own shared memory for 16-byte stores.
    static INLINE void write_rows(const Rows& rows, char* buffer, T* out, int hidden, int valid_rows,
                                  int lane) {
        __syncwarp();
        UNROLL for (int m = 0; m < kRowTiles; ++m) {
            UNROLL for (int half = 0; half < 2; ++half) {
                const float inverse = 1.0f / rows.sum[m][2 * half];
                const int row = m * 16 + half * 8 + lane / 4;
                UNROLL for (int n = 0; n < kOutTiles; ++n) {
                    *reinterpret_cast<u32*>(buffer + word_offset(row, n * 4 + lane % 4)) = Format::pack(
                        rows.out[m][n][2 * half] * inverse, rows.out[m][n][2 * half + 1] * inverse);
                }
            }
        }
        __syncwarp();
        const int chunk = lane % kRowChunks;
        UNROLL for (int row = lane / kRowChunks; row < kWarpRows; row += 32 / kRowChunks) {
            if (row < valid_rows && chunk < kHeadDim / 8) {
                *reinterpret_cast<uint4*>(out + static_cast<size_t>(row) * hidden + chunk * 8) =
                    *reinterpret_cast<const uint4*>(buffer + chunk_offset(row, chunk));
            }
        }
    }

    static INLINE void run(const T* qkv, T* out, int4 tile, int head, const float2* rope, int hidden,
                           float scale_log2, char* shared) {
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        const int first_token = tile.x, length = tile.y;
        const int first_row = tile.z + warp * kWarpRows;  // This warp's first query row.
        const int own_keys = warp * kWarpKeys;            // This warp's first row in each tile of keys.
        const size_t stride = 3 * static_cast<size_t>(hidden);
        const T* sequence = qkv + first_token * stride + head * kHeadDim;

        char* queries = shared + warp * kWarpQueryBytes;
        char* keys = shared + kQueryBytes;
        char* values = keys + 2 * kStageBytes;
        char* angles = kQueriesInRegisters ? queries : values + 2 * kStageBytes + warp * kWarpAngleBytes;

        auto own_stage = [&](char* stages, int first_key) {
            return stages + first_key / kKeys % 2 * kStageBytes + own_keys * kRowBytes;
        };
        auto copy_keys_or_values = [&](char* stages, const T* source, int first_key) {
            const int row = first_key + own_keys;
            char* target = own_stage(stages, first_key);
            copy_rows<kWarpKeys>(target, source + row * stride, stride, length - row, lane);
        };

        copy_rows<kWarpRows>(queries, sequence + first_row * stride, stride, length - first_row, lane);
        copy_keys_or_values(keys, sequence + hidden, 0);
        commit_copies();
        copy_keys_or_values(values, sequence + 2 * hidden, 0);
        commit_copies();
        Angles<kWarpRows> query_angles;
        Angles<kWarpKeys> key_angles;
        read_angles<kWarpRows>(query_angles, rope + first_row * (kHeadDim / 2), length - first_row, lane);
        read_angles<kWarpKeys>(key_angles, rope + own_keys * (kHeadDim / 2), length - own_keys, lane);
        wait_for_own_copies<1>();
        rotate_rows<kWarpRows>(queries, query_angles, lane);
        rotate_rows<kWarpKeys>(own_stage(keys, 0), key_angles, lane);
        wait_for_own_copies<0>();

        Queries held;
        if constexpr (kQueriesInRegisters) {
            UNROLL for (int m = 0; m < kRowTiles; ++m) {
                UNROLL for (int i = 0; i < kDimSteps; ++i) load_queries(held[m][i], queries, m, i, lane);
            }
        }
        Rows rows = {};
        UNROLL for (int m = 0; m < kRowTiles; ++m) rows.max[m][0] = rows.max[m][1] = minus_infinity();

        for (int first_key = 0; first_key < length; first_key += kKeys) {
            const int n_keys = length - first_key;
            const bool more = n_keys > kKeys;
            // Publishes this tile, and tells that everyone is done with the stage that is filled next.
            __syncthreads();
            if (more) {
                copy_keys_or_values(keys, sequence + hidden, first_key + kKeys);
                copy_keys_or_values(values, sequence + 2 * hidden, first_key + kKeys);
                const int row = first_key + kKeys + own_keys;
                copy_angles(angles, rope + row * (kHeadDim / 2), length - row, lane);
                commit_copies();
            }
            // A warp whose rows all lie past the end only helps with copying and rotating.
            if (first_row < length) {
                const int stage = first_key / kKeys % 2 * kStageBytes;
                const char *k = keys + stage, *v = values + stage;
                if (n_keys >= kKeys) {
                    attend<false>(rows, held, queries, k, v, kKeys, scale_log2, lane);
                } else {
                    attend<true>(rows, held, queries, k, v, n_keys, scale_log2, lane);
                }
            }
            if (more) {
                wait_for_own_copies<0>();
                read_angles<kWarpKeys>(key_angles, reinterpret_cast<const float2*>(angles), kWarpKeys, lane);
                rotate_rows<kWarpKeys>(own_stage(keys, first_key + kKeys), key_angles, lane);
            }
        }
        if (first_row < length) {
            T* target = out + (static_cast<size_t>(first_token) + first_row) * hidden + head * kHeadDim;
            write_rows(rows, queries, target, hidden, length - first_row, lane);
        }
    }
};

typedef Attention<NUMBER, HEAD_DIM, KEYS> Block;
static_assert(Block::kSharedBytes == SHARED_BYTES, "the launch brings as much shared memory as is used");

extern "C" __global__ void __launch_bounds__(kThreads, MIN_BLOCKS)
    attention_sm80(const NUMBER* __restrict__ qkv, NUMBER* __restrict__ out, const int4* __restrict__ tiles,
                   const float2* __restrict__ rope, int hidden, float scale_log2) {
    extern __shared__ __align__(128) char shared[];
    Block::run(qkv, out, tiles[blockIdx.x], blockIdx.y, rope, hidden, scale_log2, shared);
}
