# Prints the documents of a Helm chart: render.py CHART [VALUES.yaml]. Helm itself is in PyPI's helm-python-sdk only.
import sys

import helm_python
import yaml

chart, *values = sys.argv[1:]
given = yaml.safe_load(open(values[0])) if values else {}
findings = helm_python.lint(chart, given)
if findings["errors"]:
    sys.exit(f"helm lint: {findings}")
with helm_python.Chart.load(chart) as loaded:
    loaded.validate_schema(given)
    rendered = loaded.render(given, name="mimir-mirror", namespace="mimir")
for name, text in sorted(rendered.items()):
    for document in text.split("\n---\n"):
        if name.endswith(".yaml") and yaml.safe_load(document):
            print("---\n" + "\n".join(line.rstrip() for line in document.strip().splitlines()))
