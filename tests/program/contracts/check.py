"""Holds JSON against its schema.

One JSON a line on standard input: {"openapi": DOCUMENT}, which is to be a document as OpenAPI 3.1 wants it;
{"root": SCHEMA}, into which references lead from here on; or {"schema": …, "name": …, "value": …}, a value that is to be
as the root says, and the schema besides. A schema is meant to name all that there is, so what it does not name is a fault, too. Prints a line a fault.
"""

import json
import sys

from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

COMPOSED = {"$ref", "allOf", "anyOf", "oneOf", "additionalProperties", "unevaluatedProperties", "patternProperties"}


def closed(schema):
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not COMPOSED & schema.keys():
        schema["additionalProperties"] = False
    return schema


def faults(asked, roots):
    if "openapi" in asked:
        for error in OpenAPIV31SpecValidator(asked["openapi"]).iter_errors():
            yield f"{asked['openapi']['info']['title']}: {error.message} at {list(error.path)}"
        return
    if "root" in asked:
        roots.append(closed(asked["root"]))
        return
    schema = {**roots[-1], **asked["schema"]}
    validator = Draft202012Validator(schema, format_checker=FormatChecker(["date-time"]))
    for error in validator.iter_errors(asked["value"]):
        yield f"{asked['name']}: {error.message} at {list(error.absolute_path)}"


roots = []
for line in sys.stdin:
    for fault in faults(json.loads(line), roots):
        print(fault)
