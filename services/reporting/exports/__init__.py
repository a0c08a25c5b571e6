"""Reports as files: what their columns are, and how they are written as CSV, XLSX and Parquet."""
