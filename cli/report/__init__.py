"""`report`: the crew's past as one HTML page. Plotly is imported by nobody else."""
