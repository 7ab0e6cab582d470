"""Whether two outputs hold the same rows, to the last bit: same_bits.py A.parquet B.parquet"""

import sys

try:
    import pyarrow.parquet as parquet
except ImportError:
    sys.exit("pyarrow is missing: bits were NOT compared")
a, b = (parquet.read_table(path).combine_chunks() for path in sys.argv[1:3])
if not a.schema.equals(b.schema, check_metadata=False) or a.num_rows != b.num_rows:
    sys.exit(f"DIFFERENT: {a.num_rows} and {b.num_rows} rows")
for name in a.column_names:
    left, right = (table.column(name).combine_chunks() for table in (a, b))
    if name.startswith("embedding"):
        # As bytes: NaN is not equal to itself, and 0 is equal to -0.
        left, right = (column.flatten().to_numpy().tobytes() for column in (left, right))
    if left != right:
        sys.exit(f"DIFFERENT: {name}")
print(f"the same bits in {a.num_rows} rows")
