"""The census workbook: forms as data, tolerant cell readers, rows to nouns."""
