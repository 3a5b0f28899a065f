"""Estate -> who reaches whom with which packets. Plain and independent: the oracle other engines are held against."""
