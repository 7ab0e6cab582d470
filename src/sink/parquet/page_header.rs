//! The header of a page whose numbers are as they lie in memory: a structure in Thrift's compact protocol, as the
//! format's `parquet.thrift` has it.

/// Fields of 32 bits, and fields that are structures.
const I32: u8 = 5;
const STRUCTURE: u8 = 12;
/// The encoding of levels.
const RLE: i32 = 3;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Bytes of the page behind its header.
    pub(super) n_bytes: usize,
    pub(super) n_values: usize,
}

/// The header of a page of so many bytes and values.
pub(super) fn page_header(size: i32, n_values: i32) -> Vec<u8> {
    // How far the number of a field is from that of the one before, and its type.
    let number = |header: &mut Vec<u8>, value: i32| {
        header.push(1 << 4 | I32);
        put_number(header, value);
    };
    let mut header = Vec::new();
    // The type: a data page. Its size before compression, and as it is.
    for value in [0, size, size] {
        number(&mut header, value);
    }
    header.push(2 << 4 | STRUCTURE);
    // The values are plain.
    for value in [n_values, 0, RLE, RLE] {
        number(&mut header, value);
    }
    header.extend([0, 0]);
    header
}

/// What the header at the beginning of some bytes says, and what follows it. `None` if it is not one of these headers.
pub(super) fn read_page_header(bytes: &[u8]) -> Option<(PageHeader, &[u8])> {
    let mut rest = bytes;
    let mut numbers = [0; 7];
    for (n, number) in numbers.iter_mut().enumerate() {
        if n == 3 {
            rest = rest.strip_prefix(&[2 << 4 | STRUCTURE])?;
        }
        (*number, rest) = read_number(rest.strip_prefix(&[1 << 4 | I32])?)?;
    }
    let [
        page_type,
        size,
        size_in_file,
        n_values,
        encoding,
        definition,
        repetition,
    ] = numbers;
    let rest = rest.strip_prefix(&[0, 0])?;
    let is_ours =
        (page_type, encoding, definition, repetition) == (0, 0, RLE, RLE) && size == size_in_file;
    let header = PageHeader {
        n_bytes: usize::try_from(size).ok()?,
        n_values: usize::try_from(n_values).ok()?,
    };
    is_ours.then_some((header, rest))
}

fn read_number(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let end = bytes.iter().take(5).position(|byte| *byte < 0x80)? + 1;
    let (digits, rest) = bytes.split_at(end);
    let digits = digits.iter().rev();
    let number = digits.fold(0_u64, |number, byte| number << 7 | u64::from(byte & 0x7f));
    let number = u32::try_from(number).ok()?;
    Some(((number >> 1) as i32 ^ -((number & 1) as i32), rest))
}

/// Seven bits a byte, the sign last.
fn put_number(bytes: &mut Vec<u8>, value: i32) {
    let mut rest = ((value << 1) ^ (value >> 31)) as u32;
    while rest > 0x7f {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::parquet::{
        basic::Encoding,
        column::page::{CompressedPage, Page, PageWriter as _},
        file::writer::{SerializedPageWriter, TrackedWrite},
    };

    #[test]
    fn headers_are_those_of_the_library() {
        for (size, n_values) in [(0, 0), (1, 1), (63, 64), (64, 63), (1 << 20, 524_287)] {
            let page = Page::DataPage {
                buf: vec![7; size].into(),
                num_values: n_values,
                encoding: Encoding::PLAIN,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            let mut bytes = TrackedWrite::new(Vec::new());
            let mut writer = SerializedPageWriter::new(&mut bytes);
            writer.write_page(CompressedPage::new(page, size)).unwrap();
            let expected = bytes.into_inner().unwrap();
            let header = page_header(size as i32, n_values as i32);
            assert_eq!(header, expected[..expected.len() - size]);
            let read = PageHeader {
                n_bytes: size,
                n_values: n_values as usize,
            };
            let (found, rest) = read_page_header(&expected).unwrap();
            assert_eq!((found, rest.len()), (read, size));
            for n in 0..header.len() {
                assert_eq!(read_page_header(&header[..n]), None);
            }
        }
    }
}
