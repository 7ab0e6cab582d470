// Varlen self-attention for Hopper (sm_90a) over packed [T, 3 * hidden] queries, keys and values, with rotary
// embedding while loading.
//
// A block computes CONSUMERS * 64 query rows of one head of one sequence. Its first warpgroup produces: it brings
// tiles of 64 keys and values to shared memory with cp.async, rotates the keys there, and hands them over through
// mbarriers. Each other warpgroup consumes: it owns 64 query rows and runs both products with wgmma, probabilities
// in registers. Several blocks share a multiprocessor: one's softmax and rotation hide behind another's products.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

typedef unsigned int u32;

#define DEVICE __device__ __forceinline__
#define UNROLL _Pragma("unroll")

constexpr int WARPGROUP = 128;
constexpr int ROWS = 64;       // query rows of a consumer warpgroup: the M of wgmma
constexpr int KEYS = 64;       // keys of a tile
constexpr int WARP_ROWS = 16;  // rows of a tile that one warp loads and rotates

// ---- 16-bit number formats ----

template <typename T> struct Format;
template <> struct Format<__nv_bfloat16> {
    static constexpr bool BF16 = true;
    static constexpr float LARGE = 1.2e24f;  // 2^80: sums of as large exponentials times values still fit in f32
    static DEVICE __nv_bfloat162 pair(float x, float y) { return __floats2bfloat162_rn(x, y); }
    static DEVICE float2 unpack(u32 word) {
        return make_float2(__uint_as_float(word << 16), __uint_as_float(word & 0xffff0000u));
    }
};
template <> struct Format<__half> {
    static constexpr bool BF16 = false;
    static constexpr float LARGE = 16384;
    static DEVICE __half2 pair(float x, float y) { return __floats2half2_rn(x, y); }
    static DEVICE float2 unpack(u32 word) { return __half22float2(*reinterpret_cast<__half2*>(&word)); }
};
template <typename T> DEVICE u32 pack(float x, float y) {
    auto pair = Format<T>::pair(x, y);
    return *reinterpret_cast<u32*>(&pair);
}

// Rotates two pairs: `low` holds their first halves, `high` their second ones, `turn` is (cos, sin, cos, sin).
template <typename T> DEVICE void rotate(u32& low, u32& high, float4 turn) {
    float2 x = Format<T>::unpack(low), y = Format<T>::unpack(high);
    low = pack<T>(x.x * turn.x - y.x * turn.y, x.y * turn.z - y.y * turn.w);
    high = pack<T>(y.x * turn.x + x.x * turn.y, y.y * turn.z + x.y * turn.w);
}

// ---- shared memory: tiles in the swizzled form that wgmma reads; they start at multiples of 1,024 bytes ----

template <int D> struct Tile {
    static constexpr int ROW_BYTES = D >= 64 ? 128 : D * 2;  // a row of a panel
    static constexpr int PANEL_BYTES = KEYS * ROW_BYTES;     // panels of up to 64 dims lie one after the other
    static constexpr int BYTES = KEYS * D * 2;
    // Offset of a 16-byte chunk (8 dims) of a row. The XOR spreads the rows over the banks.
    static DEVICE u32 offset(int row, int chunk) {
        if (ROW_BYTES == 64) return row * 64 + ((chunk ^ ((row >> 1) & 3)) << 4);
        return (chunk >> 3) * PANEL_BYTES + row * 128 + (((chunk & 7) ^ (row & 7)) << 4);
    }
    // The address of the same chunk `rows` rows further down, where row + rows is row | rows.
    static DEVICE u32 down(u32 address, int rows) {
        return (address ^ offset(rows & 7, 0)) + (rows & ~7) * ROW_BYTES;
    }
    // The i-th (of 16) of the rows that a warp (of four) loads and rotates; additive. They are spread over the tile
    // so that most steps between them keep the swizzle, and those that meet in one access lie in different banks.
    static DEVICE int row(int warp, int i) {
        if (ROW_BYTES == 128) return warp | (i & 1) << 2 | i >> 1 << 3;
        return (warp & 1) << 1 | warp >> 1 << 3 | (i & 1) | (i >> 1 & 1) << 2 | i >> 2 << 4;
    }
    // wgmma's matrix descriptor, two words: groups of 8 rows lie close together. Keys (K-major) and values
    // (MN-major) share it. Steps along the matrix are added to the low word, in units of 16 bytes.
    static constexpr u32 DESCRIPTOR_HIGH = 8 * ROW_BYTES >> 4 | (ROW_BYTES == 128 ? 1u : 2u) << 30;
    static DEVICE u32 descriptor_low(u32 address) { return address >> 4 | 1 << 16; }
    static DEVICE u32 address(u32 descriptor_low) { return (descriptor_low & 0x3fff) << 4; }
};

// ---- PTX ----

DEVICE void barrier_init(u32 barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
DEVICE void barrier_arrive(u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
DEVICE void barrier_wait(u32 barrier, u32 parity) {
    u32 done = 0;
    while (!done)
        asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                     "selp.u32 %0, 1, 0, p;\n}" : "=r"(done) : "r"(barrier), "r"(parity) : "memory");
}
// Copies 16 bytes to shared memory; zeros where `valid` is false.
DEVICE void copy_async(u32 to, const void* from, bool valid) {
    int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
}
DEVICE void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int PENDING> DEVICE void copy_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}
DEVICE u32 load_shared(u32 address) {
    u32 v;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(address) : "memory");
    return v;
}
DEVICE void store_shared(u32 address, u32 v) {
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(address), "r"(v) : "memory");
}
DEVICE void load_matrices(u32 (&v)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3]) : "r"(address) : "memory");
}
// Volatile to keep a batch of loads together: the compiler would sink each to its use, a latency after the other.
DEVICE float4 load_table(const float2* from) {
    float4 v;
    asm volatile("ld.global.nc.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "l"(from));
    return v;
}
// Makes this thread's writes to shared memory visible to wgmma, which reads through the async proxy.
DEVICE void fence_async_proxy() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void products_finish() {
    asm volatile("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;" ::: "memory");
}
DEVICE float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

#define ACC4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define ACC8(i) ACC4(i), ACC4(i + 4)
#define A_REGS "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3])

// d[16, 8] += a * b by one warp alone.
template <typename T> DEVICE void multiply_warp(float* d, const u32* a, u32 b0, u32 b1) {
#define MMA(TYPE)                                                                                          \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." TYPE "." TYPE ".f32 {%0, %1, %2, %3}, "          \
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" : ACC4(0) : A_REGS, "r"(b0), "r"(b1))
    if constexpr (Format<T>::BF16) MMA("bf16"); else MMA("f16");
}

// One wgmma step over 16 of K: d[64, N] = (accumulate ? d : 0) + a * b, descriptors with the high word HIGH.
// `scores`: `a` (queries) and `b` (keys) both K-major in shared memory.
// `values`: `a` (probabilities) in registers, `b` (values, one row a key) MN-major in shared memory.
template <typename T, int N, u32 HIGH> struct Wgmma;

#define WGMMA_TEXT(N, TYPE, D, A, B, HIGH, MORE, OPERANDS)                                                 \
    "{\n.reg .pred p;\n.reg .b64 a, b;\nsetp.ne.b32 p, " MORE ", 0;\n" A "mov.b64 b, {" B ", " HIGH "};\n" \
    "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" D "}, " OPERANDS ";\n}"
#define WGMMA_SCORES(N, TYPE, D, R0, R1, R2, R3, ...)                                                      \
    asm volatile(WGMMA_TEXT(N, TYPE, D, "mov.b64 a, {" R0 ", " R2 "};\n", R1, R2, R3,                      \
                 "a, b, p, 1, 1, 0, 0") : __VA_ARGS__ : "r"(a), "r"(b), "n"(HIGH), "r"(accumulate))
#define WGMMA_VALUES(N, TYPE, D, R0, R1, R2, R3, R4, R5, ...)                                              \
    asm volatile(WGMMA_TEXT(N, TYPE, D, "", R4, R5, "1", "{" R0 ", " R1 ", " R2 ", " R3 "}, b, p, 1, 1, 1") \
                 : __VA_ARGS__ : A_REGS, "r"(b), "n"(HIGH))
#define WGMMA(N, D, R0, R1, R2, R3, R4, R5, ...)                                                           \
    template <typename T, u32 HIGH> struct Wgmma<T, N, HIGH> {                                             \
        static DEVICE void scores(float* d, u32 a, u32 b, int accumulate) {                                \
            if constexpr (Format<T>::BF16) WGMMA_SCORES(N, "bf16", D, R0, R1, R2, R3, __VA_ARGS__);        \
            else WGMMA_SCORES(N, "f16", D, R0, R1, R2, R3, __VA_ARGS__);                                   \
        }                                                                                                  \
        static DEVICE void values(float* d, const u32* a, u32 b) {                                         \
            if constexpr (Format<T>::BF16) WGMMA_VALUES(N, "bf16", D, R0, R1, R2, R3, R4, R5, __VA_ARGS__); \
            else WGMMA_VALUES(N, "f16", D, R0, R1, R2, R3, R4, R5, __VA_ARGS__);                           \
        }                                                                                                  \
    }
#define REGS_8 "%0, %1, %2, %3, %4, %5, %6, %7"
#define REGS_16 REGS_8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define REGS_24 REGS_16 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define REGS_32 REGS_24 ", %24, %25, %26, %27, %28, %29, %30, %31"
WGMMA(16, REGS_8, "%8", "%9", "%10", "%11", "%12", "%13", ACC8(0));
WGMMA(32, REGS_16, "%16", "%17", "%18", "%19", "%20", "%21", ACC8(0), ACC8(8));
WGMMA(48, REGS_24, "%24", "%25", "%26", "%27", "%28", "%29", ACC8(0), ACC8(8), ACC8(16));
WGMMA(64, REGS_32, "%32", "%33", "%34", "%35", "%36", "%37", ACC8(0), ACC8(8), ACC8(16), ACC8(24));

// ---- loading and rotating: each of a warpgroup's four warps does its own 16 rows of a tile ----

DEVICE int lane_id() { return threadIdx.x % 32; }
DEVICE int warp_id() { return threadIdx.x / 32 % 4; }  // within the warpgroup

// Copies tiles of a matrix, one after the other; a lane brings the same 16-byte column of several rows.
template <typename T, int D> struct Loader {
    static constexpr int CHUNKS = D / 8, AT_ONCE = 32 / CHUNKS;
    const T* from;  // this lane's first chunk of the present tile
    int stride, row;
    u32 to;

    // `matrix` is row 0 of the first tile.
    DEVICE Loader(const T* matrix, int stride) : stride(stride) {
        int chunk = lane_id() % CHUNKS;
        row = Tile<D>::row(warp_id(), lane_id() / CHUNKS);
        to = Tile<D>::offset(row, chunk);
        from = matrix + (size_t)row * stride + chunk * 8;
    }

    // Starts copying this warp's rows of a tile; if PAIR, also those of the matrix `apart` elements to the right,
    // to the next tile in shared memory. `valid` rows lie in the sequence; the others become zeros.
    template <bool PAIR> DEVICE void load(u32 tile, int apart, int valid) {
        UNROLL for (int i = 0; i < WARP_ROWS; i += AT_ONCE) {
            int step = Tile<D>::row(0, i);
            const T* source = from + (long long)(step * stride);
            u32 target = Tile<D>::down(tile + to, step);
            copy_async(target, source, row + step < valid);
            if (PAIR) copy_async(target + Tile<D>::BYTES, source + apart, row + step < valid);
        }
        from += (long long)(KEYS * stride);
    }
};

// Rotates this warp's rows of tiles in place. A lane turns two pairs of a row at a time: a word of its first half,
// and one of its second half. The table's entries are loaded a batch ahead.
template <typename T, int D> struct Rotation {
    static constexpr int WORDS = D / 4, AT_ONCE = 32 / WORDS;
    static constexpr int PASSES = WARP_ROWS / AT_ONCE, BATCH = 4;
    const float2* rope;  // this lane's entry for its first row of the present tile
    int row;
    u32 at, at_high;
    float4 turn[BATCH];  // (cos, sin, cos, sin)

    // `table` is the entry for row 0 of the first tile.
    DEVICE Rotation(const float2* table) {
        int word = threadIdx.x % WORDS;
        row = Tile<D>::row(warp_id(), lane_id() / WORDS);
        rope = table + row * (D / 2) + word * 2;
        at = Tile<D>::offset(row, word / 4) + word % 4 * 4;
        at_high = Tile<D>::offset(row, word / 4 + D / 16) + word % 4 * 4;
    }

    static DEVICE int step(int pass) { return Tile<D>::row(0, pass * AT_ONCE); }
    // `valid` rows of the tile lie in the sequence; the table may end there.
    DEVICE void load_turn(int pass, int valid) {
        turn[pass % BATCH] = load_table(rope + min(step(pass), valid - 1 - row) * (D / 2));
    }
    DEVICE void begin(int valid) {
        UNROLL for (int pass = 0; pass < BATCH; pass++) load_turn(pass, valid);
    }
    DEVICE void finish(u32 tile, int valid) {
        UNROLL for (int first = 0; first < PASSES; first += BATCH) {
            u32 low[BATCH], high[BATCH];
            UNROLL for (int i = 0; i < BATCH; i++) {
                low[i] = load_shared(Tile<D>::down(tile + at, step(first + i)));
                high[i] = load_shared(Tile<D>::down(tile + at_high, step(first + i)));
            }
            UNROLL for (int i = 0; i < BATCH; i++) {
                rotate<T>(low[i], high[i], turn[i]);
                if (first + BATCH < PASSES) load_turn(first + BATCH + i, valid);
                store_shared(Tile<D>::down(tile + at, step(first + i)), low[i]);
                store_shared(Tile<D>::down(tile + at_high, step(first + i)), high[i]);
            }
        }
        rope += KEYS * (D / 2);
    }
};

// ---- producer ----

// A ring of stages, each with a tile of keys, a tile of values, and two barriers. Tile i uses stage i % STAGES.
template <int D, int STAGES> struct Ring {
    static constexpr int STAGE_BYTES = 2 * Tile<D>::BYTES;
    static constexpr int BYTES = STAGES * STAGE_BYTES;
    u32 base, barriers;
    DEVICE u32 keys(u32 tile) const { return base + tile % STAGES * STAGE_BYTES; }
    DEVICE u32 full(u32 tile) const { return barriers + tile % STAGES * 16; }
    DEVICE u32 empty(u32 tile) const { return full(tile) + 8; }
    DEVICE u32 full_parity(u32 tile) const { return tile / STAGES % 2; }
    DEVICE u32 empty_parity(u32 tile) const { return full_parity(tile) ^ 1; }
};

// AHEAD tiles are on their way while one is rotated; the other stages hold what the consumers work on.
template <typename T, int D, int STAGES, int AHEAD>
DEVICE void produce(Ring<D, STAGES> ring, const T* keys, int hidden, const float2* rope, int length) {
    static_assert(STAGES > AHEAD, "a tile's stage would be reloaded before the tile is rotated");
    int n_tiles = (length + KEYS - 1) / KEYS;
    Loader<T, D> loader(keys, 3 * hidden);
    Rotation<T, D> rotation(rope);
    for (int load = 0; load < n_tiles + AHEAD; load++) {
        int tile = load - AHEAD, left = length - tile * KEYS;
        if (tile >= 0) rotation.begin(left);
        if (load < n_tiles) {
            barrier_wait(ring.empty(load), ring.empty_parity(load));
            loader.template load<true>(ring.keys(load), hidden, length - load * KEYS);
        }
        copy_commit();
        if (tile < 0) continue;

        copy_wait<AHEAD>();
        __syncwarp();
        rotation.finish(ring.keys(tile), left);
        fence_async_proxy();
        __syncwarp();
        if (lane_id() == 0) barrier_arrive(ring.full(tile));
    }
}

// ---- consumer ----

// Transposes a 4 x 4 matrix of words, of which each of four neighbouring lanes holds a row.
DEVICE void transpose_quad(u32* v) {
    UNROLL for (int step = 2; step > 0; step >>= 1) {
        bool upper = threadIdx.x & step;
        UNROLL for (int i = 0; i < 2; i++) {
            int a = step == 2 ? i : 2 * i, b = a + step;
            u32 got = __shfl_xor_sync(~0u, upper ? v[a] : v[b], step);
            if (upper) v[a] = got; else v[b] = got;
        }
    }
}

// A warpgroup's 64 query rows. A thread holds pieces of two of its warp's 16 rows, lane / 4 and that + 8.
template <typename T, int D> struct Consumer {
    template <int N> using Product = Wgmma<T, N, Tile<D>::DESCRIPTOR_HIGH>;
    u32 queries;  // descriptor of the rotated queries
    float scale_log2;
    float out[D / 2] = {};
    float top[2] = {-1e30f, -1e30f};  // exponentials are relative to it: a maximum of the scores, maybe an old one
    float sum[2] = {};                // this thread's part of the sum of exponentials

    // Scores of N keys.
    template <int N> DEVICE void multiply_keys(float* s, u32 keys) {
        products_begin();
        UNROLL for (int k = 0; k < D / 16; k++) {
            u32 step = (k / 4 * Tile<D>::PANEL_BYTES + k % 4 * 32) >> 4;
            Product<N>::scores(s, queries + step, keys + step, k > 0);
        }
        products_finish();
    }

    // The same for this warp's rows only, without the warpgroup's other warps.
    template <int N> DEVICE void multiply_keys_alone(float* s, u32 keys) {
        int row = warp_id() * 16 + lane_id() % 16, key = lane_id() % 8 + lane_id() / 16 * 8;
        u32 query_tile = Tile<D>::address(queries), key_tile = Tile<D>::address(keys);
        UNROLL for (int i = 0; i < N / 2; i++) s[i] = 0;
        _Pragma("unroll 1") for (int k = 0; k < D / 16; k++) {
            u32 a[4], b[4];
            load_matrices(a, query_tile + Tile<D>::offset(row, 2 * k + lane_id() / 16));
            UNROLL for (int i = 0; i < N / 2; i += 8) {
                load_matrices(b, key_tile + Tile<D>::offset(i * 2 + key, 2 * k + lane_id() / 8 % 2));
                multiply_warp<T>(s + i, a, b[0], b[1]);
                multiply_warp<T>(s + i + 4, a, b[2], b[3]);
            }
        }
    }

    // Adds the probabilities of N keys times their values.
    template <int N> DEVICE void multiply_values(u32 (&p)[N / 16][4], u32 values) {
        constexpr int WIDTH = D < 64 ? D : 64;
        products_begin();
        UNROLL for (int k = 0; k < N / 16; k++)
            UNROLL for (int panel = 0; panel < D / WIDTH; panel++) {
                u32 step = (panel * Tile<D>::PANEL_BYTES + k * 16 * Tile<D>::ROW_BYTES) >> 4;
                Product<WIDTH>::values(out + panel * 32, p[k], values + step);
            }
        products_finish();
    }

    // Makes the maximum of these scores and the earlier `top` the new one, and rescales what was added up so far.
    template <int N> DEVICE void raise_top(const float* s) {
        float factor[2];
        UNROLL for (int r = 0; r < 2; r++) {
            float high = top[r];
            UNROLL for (int i = 2 * r; i < N / 2; i += 4) high = fmaxf(high, fmaxf(s[i], s[i + 1]));
            high = fmaxf(high, __shfl_xor_sync(~0u, high, 1));
            high = fmaxf(high, __shfl_xor_sync(~0u, high, 2));
            factor[r] = exp2_fast((top[r] - high) * scale_log2);
            top[r] = high;
        }
        if (!__any_sync(~0u, fminf(factor[0], factor[1]) < 1)) return;
        sum[0] *= factor[0], sum[1] *= factor[1];
        UNROLL for (int i = 0; i < D / 2; i++) out[i] *= factor[i / 2 % 2];
    }

    // Turns scores into probabilities relative to `top`, as wgmma's A fragments, and adds them to `to`.
    template <int N> DEVICE void exponentials(const float* s, u32 (&p)[N / 16][4], float (&to)[2]) {
        float shift[2] = {top[0] * scale_log2, top[1] * scale_log2};
        UNROLL for (int i = 0; i < N / 2; i += 2) {
            int r = i / 2 % 2;
            float x = exp2_fast(s[i] * scale_log2 - shift[r]), y = exp2_fast(s[i + 1] * scale_log2 - shift[r]);
            to[r] += x + y;
            p[i / 8][i / 2 % 4] = pack<T>(x, y);
        }
    }

    // Where N > valid > N - 16 keys exist, makes the scores of the others count for nothing.
    template <int N> DEVICE void mask(float* s, int valid) {
        UNROLL for (int i = N / 2 - 8; i < N / 2; i++)
            if (i / 4 * 8 + lane_id() % 4 * 2 + i % 2 >= valid) s[i] = -1e30f;
    }

    // A tile of N keys, of which `valid` exist; fewer than N only in the LAST one. After the first tile `top` does
    // nearly always, so no maximum is looked for: a third of the softmax's work. Where it does not, the scores are
    // overwritten by the time that shows, and computed again.
    template <int N, bool LAST> DEVICE void add_tile(u32 keys, int valid, bool first) {
        float s[N / 2], added[2] = {0, 0};
        u32 p[N / 16][4];
        multiply_keys<N>(s, keys);
        if (LAST) mask<N>(s, valid);
        if (!first) exponentials<N>(s, p, added);
        if (first || __any_sync(~0u, fmaxf(added[0], added[1]) > Format<T>::LARGE)) {
            if (!first) multiply_keys_alone<N>(s, keys);
            if (!first && LAST) mask<N>(s, valid);
            raise_top<N>(s);
            added[0] = added[1] = 0;
            exponentials<N>(s, p, added);
        }
        sum[0] += added[0], sum[1] += added[1];
        multiply_values<N>(p, keys + (Tile<D>::BYTES >> 4));
    }

    template <int STAGES> DEVICE void consume(Ring<D, STAGES> ring, int length) {
        int n_whole = (length - 1) / KEYS, valid = length - n_whole * KEYS;
        for (int tile = 0; tile < n_whole; tile++) {
            barrier_wait(ring.full(tile), ring.full_parity(tile));
            add_tile<KEYS, false>(Tile<D>::descriptor_low(ring.keys(tile)), KEYS, tile == 0);
            __syncwarp();
            if (lane_id() == 0) barrier_arrive(ring.empty(tile));
        }
        barrier_wait(ring.full(n_whole), ring.full_parity(n_whole));
        u32 keys = Tile<D>::descriptor_low(ring.keys(n_whole));
        if (valid > 48) add_tile<64, true>(keys, valid, n_whole == 0);
        else if (valid > 32) add_tile<48, true>(keys, valid, n_whole == 0);
        else if (valid > 16) add_tile<32, true>(keys, valid, n_whole == 0);
        else add_tile<16, true>(keys, valid, n_whole == 0);
    }

    // Divides by the sums and writes the warp's rows, 16 bytes at a time. `to` is the first one; `valid` of them lie
    // in the sequence.
    DEVICE void store(T* to, int stride, int valid) {
        UNROLL for (int half = 0; half < 2; half++) {
            float total = sum[half];
            total += __shfl_xor_sync(~0u, total, 1);
            total += __shfl_xor_sync(~0u, total, 2);
            float inverse = 1.f / total;
            int row = lane_id() / 4 + half * 8;
            UNROLL for (int block = 0; block < D / 8; block += 4) {
                u32 words[4];
                UNROLL for (int i = 0; i < 4; i++) {
                    const float* pair = out + (block + i) * 4 + half * 2;
                    words[i] = pack<T>(pair[0] * inverse, pair[1] * inverse);
                }
                transpose_quad(words);
                uint4* at = reinterpret_cast<uint4*>(to + (size_t)row * stride) + block + lane_id() % 4;
                if (row < valid) *at = make_uint4(words[0], words[1], words[2], words[3]);
            }
        }
    }
};

// ---- kernel ----

// How a block of CONSUMERS + 1 warpgroups shares the registers, when BLOCKS of them share a multiprocessor's 65,536.
template <int CONSUMERS, int BLOCKS, int PRODUCER_REGISTERS> struct Registers {
    static constexpr int AT_LAUNCH = 65536 / BLOCKS / (WARPGROUP * (CONSUMERS + 1)) / 8 * 8;
    static constexpr int PRODUCER = PRODUCER_REGISTERS;
    static constexpr int CONSUMER = (AT_LAUNCH * (CONSUMERS + 1) - PRODUCER) / CONSUMERS / 8 * 8;
};

template <typename T, int D, int CONSUMERS, int STAGES, int AHEAD, typename Share>
DEVICE void attention(const T* qkv, T* out, const int4* tiles, const float2* rope, int hidden,
                      float scale_log2) {
    extern __shared__ __align__(1024) unsigned char memory[];
    u32 base = (u32)__cvta_generic_to_shared(memory), query_tiles = base + Ring<D, STAGES>::BYTES;
    Ring<D, STAGES> ring{base, query_tiles + CONSUMERS * Tile<D>::BYTES};
    int4 tile = tiles[blockIdx.y];
    int length = tile.y, group = threadIdx.x / WARPGROUP;
    int working = min(CONSUMERS, (length - tile.z + ROWS - 1) / ROWS);  // consumers that have rows
    if (threadIdx.x == 0)
        for (int i = 0; i < STAGES; i++) {
            barrier_init(ring.full(i), 4);
            barrier_init(ring.empty(i), 4 * working);
        }
    __syncthreads();

    if (group == 0) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Share::PRODUCER));
        const T* sequence = qkv + (size_t)tile.x * 3 * hidden + blockIdx.x * D;
        produce<T, D, STAGES, AHEAD>(ring, sequence + hidden, hidden, rope, length);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Share::CONSUMER));
        if (group > working) return;
        int first_row = tile.z + (group - 1) * ROWS;
        u32 query_tile = query_tiles + (group - 1) * Tile<D>::BYTES;
        Loader<T, D> loader(qkv + (size_t)(tile.x + first_row) * 3 * hidden + blockIdx.x * D, 3 * hidden);
        loader.template load<false>(query_tile, 0, length - first_row);
        copy_commit();
        Rotation<T, D> rotation(rope + (size_t)first_row * (D / 2));
        rotation.begin(length - first_row);
        copy_wait<0>();
        __syncwarp();
        rotation.finish(query_tile, length - first_row);
        fence_async_proxy();
        asm volatile("bar.sync %0, 128;" ::"r"(group) : "memory");

        Consumer<T, D> consumer{Tile<D>::descriptor_low(query_tile), scale_log2};
        consumer.consume(ring, length);
        first_row += warp_id() * 16;
        T* to = out + (size_t)(tile.x + first_row) * hidden + blockIdx.x * D;
        consumer.store(to, hidden, length - first_row);
    }
}

// Grid: (heads, tiles), so that blocks that run together share rows of memory. Block: 128 * (CONSUMERS + 1) threads.
// A tile has CONSUMERS * 64 query rows. Dynamic shared memory: STAGES * (256 * D + 16) + CONSUMERS * 128 * D bytes.
#define ATTENTION(NAME, T, D, CONSUMERS, BLOCKS, STAGES, AHEAD, PRODUCER_REGISTERS)                        \
    extern "C" __global__ void __launch_bounds__(WARPGROUP*(CONSUMERS + 1), BLOCKS)                        \
        NAME(const T* __restrict__ qkv, T* __restrict__ out, const int4* __restrict__ tiles,               \
             const float2* __restrict__ rope, int hidden, float scale_log2) {                              \
        attention<T, D, CONSUMERS, STAGES, AHEAD, Registers<CONSUMERS, BLOCKS, PRODUCER_REGISTERS>>(       \
            qkv, out, tiles, rope, hidden, scale_log2);                                                    \
    }
// The `short` kernels are for sequences of up to 64 rows: smaller blocks, of which more run at once.
#define ATTENTION_OF(DTYPE, T)                                                                             \
    ATTENTION(attention_sm90_##DTYPE##_32, T, 32, 2, 2, 4, 2, 48)                                          \
    ATTENTION(attention_sm90_##DTYPE##_64, T, 64, 2, 2, 4, 2, 48)                                          \
    ATTENTION(attention_sm90_##DTYPE##_64_short, T, 64, 1, 3, 2, 1, 40)                                    \
    ATTENTION(attention_sm90_##DTYPE##_128, T, 128, 3, 1, 4, 2, 56)

ATTENTION_OF(bf16, __nv_bfloat16)
ATTENTION_OF(f16, __half)
