"""Reports: a value in, a document out. One folder per report; no report knows another."""
