"""The only readers: project folder, workbook, topology, configurations and cloud become Estate and Policy."""
