//! Products of matrices in bfloat16 by the tiles of CPUs with AMX, summed in f32.
//!
//! The instructions are written out, as Rust has no stable functions for them. Numbers in bfloat16 are given as their
//! bits.

/// Rows that are multiplied at once: two tiles.
pub const ROWS: usize = 32;
/// Outputs side by side in a panel of weights: two tiles.
pub const COLUMNS: usize = 32;
/// Inputs of a tile.
pub const INPUTS: usize = 32;
/// Rows of a tile, and columns of one of sums.
const TILE: usize = 16;
/// Numbers in a tile of inputs or of weights.
pub const TILE_LEN: usize = TILE * INPUTS;

/// Where the input `input` of the row `row` of [`ROWS`] rows lies for [`multiply`], of so many tiles of inputs a row.
#[inline(always)]
pub fn place_of_input(row: usize, input: usize, n_tiles: usize) -> usize {
    let tile = row / TILE * n_tiles + input / INPUTS;
    tile * TILE_LEN + row % TILE * INPUTS + input % INPUTS
}

/// Where the weight of the input `input` for the output `column` of a panel of [`COLUMNS`] outputs lies for
/// [`multiply`].
#[inline(always)]
pub fn place_of_weight(column: usize, input: usize) -> usize {
    let tile = input / INPUTS * 2 + column / TILE;
    // Two inputs of an output lie side by side.
    let within = input % INPUTS;
    tile * TILE_LEN + within / 2 * 2 * TILE + column % TILE * 2 + within % 2
}

/// What this process lacks for [`multiply`], for people.
pub fn lacking() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        x86::lacking()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        Some("that takes AMX, which processors of this kind do not have")
    }
}

/// The products of [`ROWS`] rows, each of `n_tiles` tiles of inputs, with one panel of weights after the other:
/// `[ROWS, panels * COLUMNS]`. Each sum is made in the order of the inputs, two at a time, in f32; numbers too small
/// to be normal ones count as zero. It depends on its row and on its column of weights only.
///
/// # Panics
/// If something is [`lacking`], or slices have other lengths than that.
pub fn multiply(rows: &[u16], weights: &[u16], n_tiles: usize, sums: &mut [f32]) {
    let n_panels = sums.len() / (ROWS * COLUMNS);
    assert_eq!(rows.len(), ROWS * INPUTS * n_tiles, "the inputs");
    assert_eq!(
        weights.len(),
        n_panels * COLUMNS * INPUTS * n_tiles,
        "the weights"
    );
    assert_eq!(sums.len(), n_panels * ROWS * COLUMNS, "the sums");
    assert!(n_tiles > 0, "there are inputs");
    assert_eq!(lacking(), None, "whoever has weights in tiles asked");
    #[cfg(target_arch = "x86_64")]
    x86::multiply(rows, weights, n_tiles, sums);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{COLUMNS, ROWS, TILE, TILE_LEN};
    use nix::libc;
    use std::{
        arch::{
            asm,
            x86_64::{__cpuid, __cpuid_count, _xgetbv},
        },
        sync::OnceLock,
    };

    /// The call of `arch_prctl` by which a process asks for a part of the processor's state.
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    /// The part that is the contents of tiles.
    const XFEATURE_XTILEDATA: libc::c_long = 18;

    /// What tiles look like: all eight of 16 rows of 64 bytes.
    #[repr(C, align(64))]
    struct Shapes([u8; 64]);

    const SHAPES: Shapes = {
        let mut bytes = [0; 64];
        bytes[0] = 1;
        let mut tile = 0;
        while tile < 8 {
            bytes[16 + 2 * tile] = 64;
            bytes[48 + tile] = TILE as u8;
            tile += 1;
        }
        Shapes(bytes)
    };
    static TILES: Shapes = SHAPES;

    /// What this process lacks. The first call asks the kernel for tiles.
    pub(super) fn lacking() -> Option<&'static str> {
        static LACKING: OnceLock<Option<&'static str>> = OnceLock::new();
        *LACKING.get_or_init(|| {
            if !has_instructions() {
                Some("that takes AMX with bf16, which this processor does not have")
            } else if !is_state_kept() {
                Some("that takes AMX, which the operating system has not switched on")
            } else if !is_permitted() {
                Some("that takes AMX, which the kernel does not let this process use")
            } else {
                None
            }
        })
    }

    fn has_instructions() -> bool {
        const AMX_BF16: u32 = 1 << 22;
        const AMX_TILE: u32 = 1 << 24;
        const BOTH: u32 = AMX_BF16 | AMX_TILE;
        __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & BOTH == BOTH
    }

    /// Whether the operating system keeps the state of tiles for each thread.
    fn is_state_kept() -> bool {
        const OSXSAVE: u32 = 1 << 27;
        const TILES: u64 = 0b11 << 17;
        if __cpuid(1).ecx & OSXSAVE == 0 {
            return false;
        }
        // SAFETY: the bit that was just looked at says that the instruction is there.
        let kept = unsafe { _xgetbv(0) };
        kept & TILES == TILES
    }

    /// Asks the kernel for tiles. What it grants holds for all threads of the process.
    fn is_permitted() -> bool {
        // SAFETY: the call takes two numbers and no memory, and changes nothing but what the process may use.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_arch_prctl,
                ARCH_REQ_XCOMP_PERM,
                XFEATURE_XTILEDATA,
            )
        };
        answer == 0
    }

    /// As [`super::multiply`], which has checked that nothing is lacking, that there are inputs, and the lengths.
    pub(super) fn multiply(rows: &[u16], weights: &[u16], n_tiles: usize, sums: &mut [f32]) {
        let width = sums.len() / ROWS;
        let lower_rows = &rows[n_tiles * TILE_LEN..];
        let panels = weights.chunks_exact(2 * n_tiles * TILE_LEN);
        for (panel, weights) in panels.enumerate() {
            let upper = &mut sums[panel * COLUMNS..];
            let upper = upper.as_mut_ptr();
            // SAFETY: lacking() said that the instructions are there and may be used. Each turn of the loop loads
            // a tile of 1,024 bytes from each half of `rows` and two from `weights`, which hold `n_tiles` and twice
            // `n_tiles` of them, and `n_tiles` is not 0. What is stored are 32 rows of 32 numbers, each `width`
            // numbers behind the one before, from the first row's numbers of this panel on: they end with the last
            // row's, which is within `sums`. Shapes are loaded before tiles are used, and released behind them, so
            // that nothing depends on what the thread did before. The tiles are named as changed.
            unsafe {
                asm!(
                    "ldtilecfg [{shapes}]",
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "2:",
                    "tileloadd tmm4, [{upper_rows} + {stride}]",
                    "tileloadd tmm6, [{weights} + {stride}]",
                    "tileloadd tmm7, [{weights} + {stride} + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm5, [{lower_rows} + {stride}]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "add {upper_rows}, 1024",
                    "add {lower_rows}, 1024",
                    "add {weights}, 2048",
                    "dec {n_tiles}",
                    "jnz 2b",
                    "tilestored [{upper} + {sums_stride}], tmm0",
                    "tilestored [{upper} + {sums_stride} + 64], tmm1",
                    "tilestored [{lower} + {sums_stride}], tmm2",
                    "tilestored [{lower} + {sums_stride} + 64], tmm3",
                    "tilerelease",
                    shapes = in(reg) &raw const TILES,
                    upper_rows = inout(reg) rows.as_ptr() => _,
                    lower_rows = inout(reg) lower_rows.as_ptr() => _,
                    weights = inout(reg) weights.as_ptr() => _,
                    n_tiles = inout(reg) n_tiles => _,
                    stride = in(reg) 64_usize,
                    upper = in(reg) upper,
                    lower = in(reg) upper.wrapping_add(TILE * width),
                    sums_stride = in(reg) width * size_of::<f32>(),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;
    use std::io::{self, Write};

    /// Numbers in bf16 between −1 and 1 that look random.
    fn numbers(n: usize, seed: u32) -> Vec<u16> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bf16::from_f32((state >> 8) as f32 / (1 << 23) as f32 - 1.0).to_bits()
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn products_are_those_of_the_numbers() {
        if let Some(reason) = lacking() {
            // Past the harness, which keeps what tests print to itself.
            let said = writeln!(io::stderr(), "SKIPPED: products of tiles: {reason}");
            said.expect("standard error is open");
            return;
        }
        for (n_tiles, n_panels) in [(1, 1), (2, 3), (10, 2), (41, 1)] {
            let n_inputs = n_tiles * INPUTS;
            let rows = numbers(ROWS * n_inputs, 1);
            let weights = numbers(n_panels * COLUMNS * n_inputs, 2);
            let mut sums = vec![f32::NAN; ROWS * n_panels * COLUMNS];
            multiply(&rows, &weights, n_tiles, &mut sums);
            for row in 0..ROWS {
                for column in 0..n_panels * COLUMNS {
                    let panel = &weights[column / COLUMNS * COLUMNS * n_inputs..];
                    let products = (0..n_inputs).map(|input| {
                        let x = rows[place_of_input(row, input, n_tiles)];
                        let weight = panel[place_of_weight(column % COLUMNS, input)];
                        f64::from(bf16::from_bits(x)) * f64::from(bf16::from_bits(weight))
                    });
                    let (sum, size) = products.fold((0.0, 0.0), |(sum, size), product| {
                        (sum + product, size + product.abs())
                    });
                    // Each of the sums is rounded in f32: products of bf16 are exact there.
                    let tolerance = n_inputs as f64 * f64::from(f32::EPSILON / 2.0) * size;
                    let got = f64::from(sums[row * n_panels * COLUMNS + column]);
                    assert!((got - sum).abs() <= tolerance, "{got}, not {sum}");
                }
            }
        }
    }

    #[test]
    fn every_place_has_one_number() {
        let n_tiles = 3;
        let inputs = || 0..n_tiles * INPUTS;
        let of = |place: &dyn Fn(usize, usize) -> usize| {
            let mut places: Vec<_> = (0..32)
                .flat_map(|n| inputs().map(move |input| (n, input)))
                .map(|(n, input)| place(n, input))
                .collect();
            places.sort_unstable();
            places
        };
        let all: Vec<_> = (0..32 * n_tiles * INPUTS).collect();
        assert_eq!(of(&|row, input| place_of_input(row, input, n_tiles)), all);
        assert_eq!(of(&|column, input| place_of_weight(column, input)), all);
    }

    #[test]
    #[should_panic(expected = "the weights")]
    fn slices_of_other_lengths_are_refused() {
        let numbers = numbers(ROWS * INPUTS, 3);
        multiply(&numbers, &numbers[1..], 1, &mut [0.0; ROWS * COLUMNS]);
    }
}
