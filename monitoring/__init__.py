"""Grafana's dashboards as code: `python -m monitoring` writes compose/grafana/dashboards/*.json."""
