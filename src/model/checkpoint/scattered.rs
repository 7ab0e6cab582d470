//! Tensors whose numbers do not lie row by row: turned, cut out of others, or spread.

use std::io;

/// A dimension of a tensor.
#[derive(Clone, Copy, Debug)]
struct Dimension {
    /// Steps along it.
    n: usize,
    /// Numbers from one step to the next in the file.
    stride: usize,
    /// The same in the result.
    target: usize,
}

/// Numbers that are read at a time.
const NUMBERS_PER_READ: usize = 1 << 20;

/// Whether numbers with these strides lie row by row.
pub(super) fn is_row_by_row(shape: &[usize], strides: &[usize]) -> bool {
    dimensions(shape, strides)
        .iter()
        .all(|dimension| dimension.stride == dimension.target)
}

/// Reads a tensor with these strides, row by row. `read` reads numbers that follow each other in the file, from
/// the one with this number on, counted from the tensor's first.
///
/// Dimensions are walked through in the order in which the file has them, so that a matrix that was turned is
/// read from its beginning to its end, and what lies between the tensor's numbers is left out where it is much.
pub(super) fn read(
    shape: &[usize],
    strides: &[usize],
    read: impl Fn(usize, &mut [f32]) -> io::Result<()>,
) -> io::Result<Vec<f32>> {
    let mut values = vec![0f32; shape.iter().product()];
    let mut dimensions = dimensions(shape, strides);
    dimensions.sort_by_key(|dimension| std::cmp::Reverse(dimension.stride));
    // What is read at a time are the last dimensions, and a part of the one before them.
    let span = |dimensions: &[Dimension]| {
        let steps = dimensions.iter().map(|one| (one.n - 1) * one.stride);
        1 + steps.sum::<usize>()
    };
    let n_outer = (0..dimensions.len())
        .find(|&n| span(&dimensions[n..]) <= NUMBERS_PER_READ)
        .unwrap_or(dimensions.len());
    let (outer, inner) = dimensions.split_at(n_outer);
    let (outer, split) = match outer.split_last() {
        Some((&split, outer)) => (outer, split),
        None => (
            outer,
            Dimension {
                n: 1,
                stride: 1,
                target: 0,
            },
        ),
    };
    let at_a_time = 1 + (NUMBERS_PER_READ - span(inner)) / split.stride.max(1);
    let mut numbers = Vec::new();
    for n in 0..places(outer) {
        let (source, target) = place(outer, n);
        for first in (0..split.n).step_by(at_a_time) {
            let part = Dimension {
                n: at_a_time.min(split.n - first),
                ..split
            };
            let part: Vec<_> = std::iter::once(part).chain(inner.iter().copied()).collect();
            numbers.resize(span(&part), 0.0);
            read(source + first * split.stride, &mut numbers)?;
            let target = target + first * split.target;
            for n in 0..places(&part) {
                let (from, to) = place(&part, n);
                values[target + to] = numbers[from];
            }
        }
    }
    Ok(values)
}

/// The dimensions along which there are steps.
fn dimensions(shape: &[usize], strides: &[usize]) -> Vec<Dimension> {
    let mut target = 1;
    let mut dimensions = Vec::new();
    for (&n, &stride) in shape.iter().zip(strides).rev() {
        if n != 1 {
            dimensions.push(Dimension { n, stride, target });
        }
        target *= n;
    }
    dimensions.reverse();
    dimensions
}

/// The numbers in some dimensions.
fn places(dimensions: &[Dimension]) -> usize {
    dimensions.iter().map(|dimension| dimension.n).product()
}

/// Where a number of some dimensions is in the file and in the result.
fn place(dimensions: &[Dimension], mut n: usize) -> (usize, usize) {
    let (mut source, mut target) = (0, 0);
    for dimension in dimensions.iter().rev() {
        let step = n % dimension.n;
        n /= dimension.n;
        source += step * dimension.stride;
        target += step * dimension.target;
    }
    (source, target)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a tensor of numbers that are as large as their place in the file.
    fn check(shape: &[usize], strides: &[usize]) {
        let read_at = |first: usize, values: &mut [f32]| {
            assert!(values.len() <= NUMBERS_PER_READ);
            for (n, value) in values.iter_mut().enumerate() {
                *value = (first + n) as f32;
            }
            Ok(())
        };
        let values = read(shape, strides, read_at).expect("read");
        assert_eq!(values.len(), shape.iter().product::<usize>());
        let mut step = vec![0; shape.len()];
        for value in values {
            let place: usize = step.iter().zip(strides).map(|(n, stride)| n * stride).sum();
            assert_eq!(value, place as f32, "{shape:?} {strides:?} {step:?}");
            for (n, &most) in step.iter_mut().zip(shape).rev() {
                *n += 1;
                if *n < most {
                    break;
                }
                *n = 0;
            }
        }
    }

    #[test]
    fn numbers_come_row_by_row_whatever_the_strides() {
        check(&[3, 4], &[1, 3]);
        check(&[3, 4], &[10, 1]);
        check(&[3, 4], &[0, 1]);
        check(&[3, 4], &[1, 0]);
        check(&[3, 4], &[0, 0]);
        check(&[2, 1, 3, 4], &[12, 99, 1, 3]);
        check(&[5, 5], &[1, 1]);
        check(&[], &[]);
        // More than is read at a time, as one dimension and as several.
        check(&[7], &[NUMBERS_PER_READ]);
        check(&[3000], &[1000]);
        check(&[1500, 1000], &[1, 1500]);
        check(&[3, 1100, 1000], &[1, 3000, 3]);
        check(&[2, 3], &[1, NUMBERS_PER_READ * 2]);
    }

    #[test]
    fn steps_of_one_do_not_count() {
        assert!(is_row_by_row(&[2, 3], &[3, 1]));
        assert!(is_row_by_row(&[1, 3], &[77, 1]));
        assert!(is_row_by_row(&[2, 1, 3], &[3, 8, 1]));
        assert!(is_row_by_row(&[], &[]));
        assert!(!is_row_by_row(&[2, 3], &[4, 1]));
        assert!(!is_row_by_row(&[2, 3], &[1, 2]));
    }
}
