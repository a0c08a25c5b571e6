"""Orders on paper and in files: spreadsheets, packing slips, print views, evidence. Pure: orders in, bytes out."""
