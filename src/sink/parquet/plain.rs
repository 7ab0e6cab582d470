//! Column chunks of vectors of residues, as fast as memory is copied.
//!
//! The general writer makes an object of every half, and looks at each number for itself: a model on a GPU has hundreds
//! of millions of them a second. They are vectors of one width without nulls, so that levels are known by their lengths
//! alone, and numbers lie in memory as they do in pages.

use super::{
    page_header::page_header,
    pieces::{Elsewhere, Handover, Pieces, RowPieces},
};
use ::parquet::{
    basic::{Compression, Encoding, PageType},
    column::writer::ColumnCloseResult,
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats},
        writer::SerializedRowGroupWriter,
    },
    schema::types::ColumnDescPtr,
};
use arrow_array::{
    Array, ArrayRef,
    cast::AsArray,
    types::{Float16Type, Float32Type},
};
use arrow_buffer::Buffer;
use arrow_schema::DataType;
use std::io::Write;

/// Bytes of numbers in a page, which ends with the row that reaches them. A row is never in two pages.
const PAGE_BYTES: usize = 1 << 20;

/// Repetition levels: a row begins, a vector begins, a number that begins neither.
pub(super) const ROW: u8 = 0;
const VECTOR: u8 = 1;
pub(super) const NUMBER: u8 = 2;
/// Definition levels: a row without vectors, and a number.
const NOTHING: u8 = 0;
const SOMETHING: u8 = 2;

/// A column of a row group, encoded. Its numbers are those of the rows, not a copy of them.
pub(super) struct PlainChunk {
    pieces: Pieces,
    close: ColumnCloseResult,
}

/// Whether columns of this type are written here: lists of vectors.
pub(super) fn is_plain(data_type: &DataType) -> bool {
    let DataType::List(vector) = data_type else {
        return false;
    };
    let DataType::FixedSizeList(number, width) = vector.data_type() else {
        return false;
    };
    let has_nulls = vector.is_nullable() || number.is_nullable();
    let is_number = matches!(number.data_type(), DataType::Float16 | DataType::Float32);
    is_number && *width > 0 && !has_nulls
}

impl PlainChunk {
    /// Encodes the rows of a row group.
    ///
    /// # Errors
    /// If a row is longer than a page can be.
    pub(super) fn new(descriptor: &ColumnDescPtr, rows: &[ArrayRef]) -> Result<Self, ParquetError> {
        let columns: Vec<Numbers<'_>> = rows.iter().map(Numbers::of).collect();
        let mut chunk = Chunk::new();
        let mut page = NextPage::default();
        for numbers in &columns {
            for pair in numbers.offsets.windows(2) {
                page.add(numbers, pair[0] as usize, pair[1] as usize);
                if page.n_bytes >= PAGE_BYTES {
                    chunk.write(std::mem::take(&mut page))?;
                }
            }
        }
        if page.n_rows > 0 {
            chunk.write(page)?;
        }
        chunk.end(descriptor)
    }

    /// Rows.
    #[cfg(test)]
    pub(super) fn n_rows(&self) -> u64 {
        self.close.rows_written
    }

    /// Bytes in a file.
    pub(super) fn n_bytes(&self) -> u64 {
        self.pieces.n_bytes()
    }

    /// Puts it into a file that has `at` bytes, into which what is handed over goes.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn append_to_row_group<W: Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        at: u64,
        handover: &Handover,
    ) -> Result<(), ParquetError> {
        let in_its_place = Elsewhere(self.pieces.n_bytes());
        handover.put(at, self.pieces);
        group.append_column(&in_its_place, self.close)
    }
}

/// The numbers of lists of vectors, as they lie in memory.
struct Numbers<'a> {
    bytes: &'a Buffer,
    /// Where the vectors of each row begin, and the end of the last one.
    offsets: &'a [i32],
    /// Numbers of a vector.
    width: usize,
    bytes_per_vector: usize,
}

impl<'a> Numbers<'a> {
    /// # Panics
    /// If these are no lists of vectors.
    fn of(rows: &'a ArrayRef) -> Self {
        let lists = rows.as_list::<i32>();
        let vectors = lists.values().as_fixed_size_list();
        let width = vectors.value_length() as usize;
        let numbers = vectors.values();
        let (bytes, number_bytes) = match numbers.data_type() {
            DataType::Float16 => (numbers.as_primitive::<Float16Type>().values().inner(), 2),
            _ => (numbers.as_primitive::<Float32Type>().values().inner(), 4),
        };
        Self {
            bytes,
            offsets: lists.value_offsets(),
            width,
            bytes_per_vector: width * number_bytes,
        }
    }
}

/// The rows of a page.
#[derive(Default)]
struct NextPage {
    repetition: Levels,
    definition: Levels,
    numbers: RowPieces,
    n_bytes: usize,
    n_rows: usize,
}

impl NextPage {
    /// Adds a row: some vectors of a column.
    fn add(&mut self, column: &Numbers<'_>, first: usize, end: usize) {
        let n_vectors = end - first;
        self.repetition.add(1, ROW);
        if n_vectors == 0 {
            self.definition.add(1, NOTHING);
        } else {
            self.repetition.add(column.width - 1, NUMBER);
            for _ in 1..n_vectors {
                self.repetition.add(1, VECTOR);
                self.repetition.add(column.width - 1, NUMBER);
            }
            self.definition.add(n_vectors * column.width, SOMETHING);
        }
        let n_bytes = n_vectors * column.bytes_per_vector;
        let at = first * column.bytes_per_vector;
        self.numbers.push(column.bytes, at, n_bytes);
        self.n_bytes += n_bytes;
        self.n_rows += 1;
    }
}

/// Levels, as runs of equal ones.
#[derive(Default)]
struct Levels {
    encoded: Vec<u8>,
    /// The run that may go on.
    run: (usize, u8),
    n_levels: usize,
}

impl Levels {
    fn add(&mut self, n: usize, level: u8) {
        self.n_levels += n;
        if self.run.1 == level {
            self.run.0 += n;
        } else if n > 0 {
            self.end_run();
            self.run = (n, level);
        }
    }

    /// A run: how long it is, with a last bit that tells it from packed levels, seven bits a byte; then the level.
    fn end_run(&mut self) {
        let (n, level) = self.run;
        if n == 0 {
            return;
        }
        let mut header = n << 1;
        while header > 0x7f {
            self.encoded.push(header as u8 | 0x80);
            header >>= 7;
        }
        self.encoded.extend([header as u8, level]);
    }

    /// As they stand in a page: their size, and the runs.
    fn write(mut self, page: &mut Vec<u8>) {
        self.end_run();
        page.extend((self.encoded.len() as u32).to_le_bytes());
        page.extend(self.encoded);
    }
}

/// A column chunk so far.
struct Chunk {
    pieces: Pieces,
    index: OffsetIndexBuilder,
    n_pages: usize,
    n_levels: usize,
    n_rows: usize,
}

impl Chunk {
    fn new() -> Self {
        Self {
            pieces: Pieces::default(),
            index: OffsetIndexBuilder::new(),
            n_pages: 0,
            n_levels: 0,
            n_rows: 0,
        }
    }

    fn write(&mut self, page: NextPage) -> Result<(), ParquetError> {
        let n_levels = page.repetition.n_levels;
        let mut levels = Vec::new();
        page.repetition.write(&mut levels);
        page.definition.write(&mut levels);
        let size = i32::try_from(levels.len() + page.n_bytes).map_err(|_| too_long())?;
        let n_values = i32::try_from(n_levels).map_err(|_| too_long())?;
        let offset = self.pieces.n_bytes();
        let mut first = page_header(size, n_values);
        first.extend(levels);
        self.pieces.push(first.into());
        for numbers in page.numbers {
            self.pieces.push(numbers);
        }
        let with_header = self.pieces.n_bytes() - offset;
        let with_header = i32::try_from(with_header).map_err(|_| too_long())?;
        self.index
            .append_offset_and_size(offset as i64, with_header);
        self.index.append_row_count(page.n_rows as i64);
        self.n_pages += 1;
        self.n_levels += n_levels;
        self.n_rows += page.n_rows;
        Ok(())
    }

    fn end(self, descriptor: &ColumnDescPtr) -> Result<PlainChunk, ParquetError> {
        let n_bytes = self.pieces.n_bytes();
        let pages = PageEncodingStats {
            page_type: PageType::DATA_PAGE,
            encoding: Encoding::PLAIN,
            count: i32::try_from(self.n_pages).map_err(|_| too_long())?,
        };
        let metadata = ColumnChunkMetaData::builder(descriptor.clone())
            .set_compression(Compression::UNCOMPRESSED)
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE])
            .set_page_encoding_stats(vec![pages])
            .set_total_compressed_size(n_bytes as i64)
            .set_total_uncompressed_size(n_bytes as i64)
            .set_num_values(self.n_levels as i64)
            .set_data_page_offset(0)
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: n_bytes,
            rows_written: self.n_rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(self.index.build()),
        };
        Ok(PlainChunk {
            pieces: self.pieces,
            close,
        })
    }
}

fn too_long() -> ParquetError {
    ParquetError::General("a sequence has more numbers than a Parquet page can hold".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::HashedFile,
            group::{Groups, RowsOfGroup},
            slot::Slot,
        },
        *,
    };
    use ::parquet::{
        arrow::{
            ArrowWriter,
            arrow_reader::{
                ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
            },
        },
        file::metadata::{PageIndexPolicy, ParquetMetaDataReader},
    };
    use arrow_array::{FixedSizeListArray, Float16Array, Float32Array, ListArray, RecordBatch};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::{Field, Schema};
    use bytes::Bytes;
    use half::f16;
    use std::sync::Arc;

    /// Rows with so many vectors each, in f16 or f32.
    fn rows(lengths: &[usize], width: usize, is_half: bool) -> ArrayRef {
        let n = lengths.iter().sum::<usize>() * width;
        let value = |n: usize| (n as f32 * 0.37).sin();
        let numbers: ArrayRef = match is_half {
            true => Arc::new(Float16Array::from_iter_values(
                (0..n).map(|n| f16::from_f32(value(n))),
            )),
            false => Arc::new(Float32Array::from_iter_values((0..n).map(value))),
        };
        let item = |data_type: &DataType| Arc::new(Field::new("item", data_type.clone(), false));
        let number = item(numbers.data_type());
        let vectors = FixedSizeListArray::new(number, width as i32, numbers, None);
        let vector = item(vectors.data_type());
        let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
        Arc::new(ListArray::new(vector, offsets, Arc::new(vectors), None))
    }

    /// A file of one row group of these columns.
    fn file(schema: &Arc<Schema>, columns: &[Vec<ArrayRef>]) -> Bytes {
        let file = tempfile::NamedTempFile::new().unwrap();
        let slot = Slot::new(HashedFile::new(file.reopen().unwrap())).unwrap();
        let handover = slot.handover();
        let writer = ArrowWriter::try_new(slot, schema.clone(), None).unwrap();
        let (mut writer, _) = writer.into_serialized_writer().unwrap();
        let leaves = writer.schema_descr().columns().to_vec();
        let mut at = writer.bytes_written() as u64;
        let mut group = writer.next_row_group().unwrap();
        for (leaf, column) in leaves.iter().zip(columns) {
            let chunk = PlainChunk::new(leaf, column).unwrap();
            let end = at + chunk.n_bytes();
            chunk
                .append_to_row_group(&mut group, at, &handover)
                .unwrap();
            at = end;
        }
        group.close().unwrap();
        writer.finish().unwrap();
        let hash = writer.inner_mut().take().unwrap().hash();
        let written = std::fs::read(file.path()).unwrap();
        assert_eq!(hash, blake3::hash(&written).to_hex().as_str());
        written.into()
    }

    #[test]
    fn what_is_written_is_read_again_by_whoever_reads_parquet() {
        for is_half in [true, false] {
            for width in [1, 2, 3, 160] {
                // Rows without vectors, first and last too, and rows of more than a page.
                let lengths = [0, 1, 7, 0, 0, 300, 9_000, 1, 20_000, 2, 3_500, 3_500, 64, 0];
                let whole = rows(&lengths, width, is_half);
                assert!(is_plain(whole.data_type()));
                let n_rows = lengths.len();
                // In pieces that begin and end inside of an array.
                let pieces = vec![whole.slice(0, 3), whole.slice(3, 6), whole.slice(9, 5)];
                let mirrored = vec![whole.slice(0, n_rows)];
                let field = |name| Field::new(name, whole.data_type().clone(), false);
                let schema = Arc::new(Schema::new(vec![field("a"), field("b")]));
                let written = file(&schema, &[pieces, mirrored]);
                let expected =
                    RecordBatch::try_new(schema, vec![whole.clone(), whole.clone()]).unwrap();

                let options =
                    ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
                let reader = || {
                    ParquetRecordBatchReaderBuilder::try_new_with_options(
                        written.clone(),
                        options.clone(),
                    )
                    .unwrap()
                    .with_batch_size(n_rows)
                };
                let read = reader().build().unwrap().next().unwrap().unwrap();
                assert_eq!(read, expected, "{is_half} {width}");
                // And by ourselves, as fast as it is written.
                let on_disk = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(on_disk.path(), &written).unwrap();
                let on_disk = on_disk.reopen().unwrap();
                let metadata = ParquetMetaDataReader::new()
                    .parse_and_finish(&written)
                    .unwrap();
                let groups = Groups::new(on_disk, Arc::new(metadata)).unwrap();
                let rows = groups.read(0).unwrap();
                assert_eq!(matches!(rows, RowsOfGroup::Copied(_)), width > 1);
                let read: Vec<_> = rows.map(Result::unwrap).collect();
                assert_eq!(read, std::slice::from_ref(&expected), "{is_half} {width}");
                // Pages are found by their rows.
                for (first, n) in [(0, 1), (6, 2), (8, 1), (9, 5), (13, 1)] {
                    let selection =
                        RowSelection::from(vec![RowSelector::skip(first), RowSelector::select(n)]);
                    let reader = reader().with_row_selection(selection).build();
                    let read = reader.unwrap().next().unwrap().unwrap();
                    assert_eq!(read, expected.slice(first, n), "{is_half} {width} {first}");
                }
            }
        }
    }

    #[test]
    fn only_lists_of_vectors_without_nulls_are_written_here() {
        let item =
            |data_type: DataType, is_nullable| Arc::new(Field::new("item", data_type, is_nullable));
        let vector = |number| DataType::FixedSizeList(item(number, false), 3);
        let list = |vector| DataType::List(item(vector, false));
        assert!(is_plain(&list(vector(DataType::Float16))));
        assert!(is_plain(&list(vector(DataType::Float32))));
        assert!(!is_plain(&list(vector(DataType::Float64))));
        assert!(!is_plain(&vector(DataType::Float32)));
        assert!(!is_plain(&list(list(DataType::Float32))));
        let nullable = item(vector(DataType::Float32), true);
        assert!(!is_plain(&DataType::List(nullable)));
        assert!(!is_plain(&DataType::Utf8));
    }
}
