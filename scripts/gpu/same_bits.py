"""Whether two outputs hold the same rows, to the last bit: same_bits.py A.parquet B.parquet

It needs pyarrow, or the program `duckdb` where DUCKDB says: GPU machines often lack the one, and the other is one file.
"""

import os
import subprocess
import sys


def with_pyarrow(paths):
    a, b = (parquet.read_table(path).combine_chunks() for path in paths)
    if not a.schema.equals(b.schema, check_metadata=False) or a.num_rows != b.num_rows:
        sys.exit(f"DIFFERENT: {a.num_rows} and {b.num_rows} rows")
    for name in a.column_names:
        left, right = (table.column(name).combine_chunks() for table in (a, b))
        if name.startswith("embedding"):
            # As bytes: NaN is not equal to itself, and 0 is equal to -0.
            left, right = (column.flatten().to_numpy().tobytes() for column in (left, right))
        if left != right:
            sys.exit(f"DIFFERENT: {name}")
    return a.num_rows


def with_duckdb(program, paths):
    def ask(query):
        command = [program, "-csv", "-noheader", "-c", query]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    a, b = (f"read_parquet('{path}')" for path in paths)
    rows, other = (int(ask(f"select count(*) from {table}")[0]) for table in (a, b))
    # As texts: 0 is equal to -0, but is not written like it.
    differ = f"select count(*) from {a} a positional join {b} b where a::text is distinct from b::text"
    if rows != other or int(ask(differ)[0]) != 0:
        sys.exit(f"DIFFERENT: {rows} and {other} rows")
    return rows


try:
    import pyarrow.parquet as parquet
except ImportError:
    if not os.environ.get("DUCKDB"):
        sys.exit("pyarrow is missing: bits were NOT compared")
    n_rows = with_duckdb(os.environ["DUCKDB"], sys.argv[1:3])
else:
    n_rows = with_pyarrow(sys.argv[1:3])
print(f"the same bits in {n_rows} rows")
