"""Two hundred JSON Schemas, in families: what programs ask for, and the corners of what can be asked for."""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_STRING: Final = {"type": "string", "maxLength": 10}
_INTEGER: Final = {"type": "integer", "minimum": 0, "maximum": 99}
_BOOLEAN: Final = {"type": "boolean"}
_NULL: Final = {"type": "null"}


def _closed(*optional: str, **properties: Schema) -> Schema:
    """An object with these properties and no others, all required but for the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _list(items: Schema, low: int = 0, high: int = 3) -> Schema:
    return {"type": "array", "items": items, "minItems": low, "maxItems": high}


def _any(*alternatives: Schema) -> Schema:
    return {"anyOf": list(alternatives)}


def _enum(*values: object) -> Schema:
    return {"enum": list(values)}


def _text(**bounds: Any) -> Schema:
    return {"type": "string", **bounds}


def _number(**bounds: Any) -> Schema:
    return {"type": "number", **bounds}


def _whole(**bounds: Any) -> Schema:
    return {"type": "integer", **bounds}


_TYPES: Final[list[Schema]] = [
    {"type": "null"},
    {"type": "boolean"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "string", "maxLength": 20},
    {"type": ["boolean", "null"]},
    {"type": ["integer", "null"], "minimum": 0, "maximum": 9},
    {"type": ["string", "integer"], "maxLength": 5},
    {"type": "object", "additionalProperties": False},
    {"type": "array", "maxItems": 0},
]
_ENUMS: Final = [
    _enum("red", "green", "blue"),
    _enum(1, 2, 3),
    _enum(None),
    _enum(True, "true", 1.5),
    _enum("a", "ab", "abc", "abcd"),
    _enum("", " ", "  "),
    _enum('"', "\\", "/", "\b\f\n\r\t"),
    _enum("é", "日本語", "🙂", "\u2028"),
    _enum([], {}, [[]], [{}]),
    _enum({"a": 1}, {"a": 2, "b": [1, 2]}),
    _enum(-1, 0, 1, 1e10, 1.25e-3),
    {"type": "string", "enum": ["x", "y"]},
    {"type": "integer", "enum": [10, 20, 30]},
    _enum(*(f"item-{number}" for number in range(200))),
    _enum("null", None, "false", False),
]
_CONSTANTS: Final[list[Schema]] = [
    {"const": "only this"},
    {"const": 42},
    {"const": None},
    {"const": False},
    {"const": {"nested": {"deep": [1, {"x": None}]}}},
    {"const": ["a", 1, True]},
    {"const": 'quotes " and \\ slashes'},
    _closed(kind={"const": "cat"}, lives=_whole(minimum=1, maximum=9)),
    _closed(version={"const": 1}, data={"const": {}}),
    _list({"const": "x"}, 2, 4),
]
_STRINGS: Final = [
    _text(minLength=1, maxLength=1),
    _text(minLength=3, maxLength=3),
    _text(minLength=5, maxLength=12),
    _text(maxLength=0),
    _text(pattern="^[a-z]{2,8}$"),
    _text(pattern="^[A-Z]{3}-[0-9]{4}$"),
    _text(pattern="^(mon|tue|wed|thu|fri)day$"),
    _text(pattern=r"^\d{3}-\d{3}-\d{4}$"),
    _text(pattern=r"^#[0-9a-fA-F]{6}$"),
    _text(pattern=r"^v\d{1,2}\.\d{1,2}\.\d{1,2}$"),
    _text(pattern="^a*b$", maxLength=6),
    _text(pattern="x", maxLength=8),
    _text(pattern="^start", maxLength=12),
    _text(pattern="end$", maxLength=12),
    _text(pattern=r'^"[a-z]{1,3}"$'),
    _text(pattern=r"^[\\/]{1,3}$"),
    _text(pattern="^(?:é|ü|ñ){1,4}$"),
    _text(pattern=r"^[^a-z]{1,5}$"),
    _text(pattern=r"^\w{1,5} \w{1,5}$"),
    _text(pattern="^(yes|no)( please)?$"),
    _text(pattern="^[01]{8}$"),
    _text(minLength=2, maxLength=6, pattern="^[ab]+$"),
    _text(pattern=r"^\$[0-9]{1,3}(\.[0-9]{2})?$"),
    _text(pattern="^.{4}$"),
    _text(pattern=r"^[\u4e00-\u4e10]{1,3}$"),
]
_FORMATS: Final = [
    _text(format="date"),
    _text(format="time"),
    _text(format="date-time"),
    _text(format="duration"),
    _text(format="uuid"),
    _text(format="ipv4"),
    _text(format="ipv6"),
    _text(format="email", maxLength=30),
    _text(format="hostname", maxLength=30),
    _text(format="uri", maxLength=40),
    _closed(id=_text(format="uuid"), made=_text(format="date")),
    _list(_text(format="ipv4"), 1, 2),
]
_NUMBERS: Final = [
    _whole(minimum=0, maximum=9),
    _whole(minimum=-5, maximum=5),
    _whole(minimum=10, maximum=99),
    _whole(minimum=100, maximum=12345),
    _whole(minimum=7, maximum=7),
    _whole(exclusiveMinimum=0, exclusiveMaximum=3),
    _whole(maximum=-100, minimum=-250),
    _whole(multipleOf=5, minimum=0, maximum=50),
    _whole(multipleOf=7, minimum=0, maximum=70),
    _whole(minimum=1.5, maximum=3.5),
    _whole(minimum=1_000_000, maximum=2_000_000),
    _number(minimum=0, maximum=1),
    _number(minimum=-1.5, maximum=1.5),
    _number(exclusiveMinimum=0, exclusiveMaximum=1),
    _number(minimum=3.14, maximum=3.15),
    _number(minimum=99.5, maximum=100.25),
    _number(maximum=-0.5, minimum=-0.75),
    _number(minimum=10, multipleOf=0.25),
    _number(maximum=10, multipleOf=0.01),
    _number(multipleOf=0.5, minimum=0, maximum=4),
    _closed(latitude=_number(minimum=-90, maximum=90), longitude=_number(minimum=-180, maximum=180)),
    _list(_whole(minimum=1, maximum=6), 5, 5),
    _list(_number(minimum=0, maximum=1), 1, 3),
]
_ARRAYS: Final[list[Schema]] = [
    _list(_INTEGER),
    _list(_INTEGER, 1, 1),
    _list(_INTEGER, 4, 6),
    _list(_BOOLEAN, 10, 10),
    _list(_STRING, 1, 2),
    _list(_NULL, 0, 5),
    _list(_list(_INTEGER), 1, 2),
    _list(_list(_list(_BOOLEAN, 1, 1), 1, 1), 1, 1),
    _list(_enum("a", "b"), 2, 3),
    _list(_any(_INTEGER, _BOOLEAN), 1, 4),
    _list(_closed(x=_INTEGER, y=_INTEGER), 1, 2),
    _list({}, 0, 0),
    {"type": "array", "prefixItems": [_INTEGER, _BOOLEAN], "items": False},
    {"type": "array", "prefixItems": [_INTEGER, _BOOLEAN], "items": False, "minItems": 2},
    {"type": "array", "prefixItems": [_STRING], "items": _INTEGER, "minItems": 1, "maxItems": 3},
    {"type": "array", "prefixItems": [_NULL, _NULL, _INTEGER], "minItems": 3, "maxItems": 3},
    {"type": "array", "items": _BOOLEAN, "maxItems": 20},
    {"type": "array", "items": _enum(*range(30)), "minItems": 3, "maxItems": 3},
    _closed(matrix=_list(_list(_whole(minimum=0, maximum=1), 2, 2), 2, 2)),
    _closed(tags=_list(_text(pattern="^[a-z]{1,5}$"), 0, 3), scores=_list(_INTEGER, 0, 3)),
]
_OBJECTS: Final[list[Schema]] = [
    _closed(a=_INTEGER),
    _closed("a", a=_INTEGER),
    _closed("b", a=_INTEGER, b=_BOOLEAN),
    _closed("a", "b", "c", a=_NULL, b=_NULL, c=_NULL),
    _closed("a", "c", "e", a=_INTEGER, b=_INTEGER, c=_INTEGER, d=_INTEGER, e=_INTEGER),
    _closed(**{f"field_{number}": _BOOLEAN for number in range(12)}),
    _closed(*(f"field_{number}" for number in range(12)), **{f"field_{number}": _BOOLEAN for number in range(12)}),
    _closed(**{"with space": _INTEGER, 'with"quote': _INTEGER, "é": _INTEGER, "": _INTEGER, "$": _INTEGER}),
    _closed(**{"a.b": _INTEGER, "a/b": _INTEGER, "a~b": _INTEGER, "\\": _INTEGER}),
    _closed(true=_NULL, null=_BOOLEAN),
    {"type": "object", "properties": {"a": _INTEGER}, "required": ["a"], "maxProperties": 2},
    {"type": "object", "additionalProperties": _INTEGER, "minProperties": 1, "maxProperties": 2},
    {"type": "object", "additionalProperties": _BOOLEAN, "maxProperties": 1},
    {"type": "object", "patternProperties": {"^x[0-9]$": _INTEGER}, "additionalProperties": False, "maxProperties": 3},
    {
        "type": "object",
        "properties": {"id": _INTEGER},
        "patternProperties": {"^tag_[a-z]$": _BOOLEAN},
        "required": ["id"],
        "additionalProperties": False,
        "maxProperties": 3,
    },
    {"type": "object", "properties": {"a": _INTEGER}, "required": ["a", "z"], "maxProperties": 2},
    {"type": "object", "properties": {"gone": False, "here": _INTEGER}, "required": ["here"], "maxProperties": 1},
    {"properties": {"a": _INTEGER}, "required": ["a"], "type": "object", "additionalProperties": False},
    _closed(name={**_STRING, "title": "Name", "description": "Who", "default": "x", "examples": ["y"]}),
    _closed(a=_closed(b=_closed(c=_closed(d=_closed(e=_INTEGER))))),
    _closed(left=_closed(x=_INTEGER), right=_closed(x=_INTEGER)),
    _closed("inner", outer=_BOOLEAN, inner=_closed("deep", deep=_closed("deeper", deeper=_NULL))),
    _closed(items=_list(_closed(name=_STRING, count=_INTEGER), 1, 2), total=_INTEGER),
    _closed(a=_closed(list=_list(_closed(b=_list(_INTEGER, 1, 1)), 1, 1))),
]
_UNIONS: Final[list[Schema]] = [
    _any(_INTEGER, _NULL),
    _any(_STRING, _INTEGER, _BOOLEAN, _NULL),
    _any(_closed(a=_INTEGER), _closed(b=_INTEGER)),
    _any(_closed(a=_INTEGER), _closed(a=_BOOLEAN, b=_NULL)),
    _any(_list(_INTEGER, 1, 2), _INTEGER),
    _any({"const": "a"}, {"const": "b"}, _list({"const": "c"}, 1, 1)),
    _any(_text(pattern="^a{1,3}$"), _text(pattern="^b{1,3}$")),
    _any(_whole(minimum=0, maximum=5), _whole(minimum=10, maximum=15)),
    {"oneOf": [_BOOLEAN, _NULL]},
    {"oneOf": [{"type": "string", "maxLength": 4}, {"type": "integer"}]},
    {"oneOf": [{"const": "auto"}, _INTEGER, _list(_INTEGER, 1, 2)]},
    {
        "oneOf": [
            _closed(kind={"const": "circle"}, radius=_INTEGER),
            _closed(kind={"const": "square"}, side=_INTEGER),
        ]
    },
    _list(_any(_closed(type={"const": "a"}, x=_INTEGER), _closed(type={"const": "b"}, y=_BOOLEAN)), 1, 3),
    _closed(value=_any(_STRING, _NULL), other=_any(_INTEGER, _list(_INTEGER, 0, 2))),
    _closed(a=_any(_NULL, _any(_BOOLEAN, _any(_INTEGER, _STRING)))),
    {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": {"a": _NULL, "b": _NULL}},
]
_INTERSECTIONS: Final[list[Schema]] = [
    {"allOf": [{"type": "integer"}, {"minimum": 3}, {"maximum": 8}]},
    {"allOf": [_text(minLength=2), _text(maxLength=4)]},
    {"allOf": [_text(pattern="^a"), _text(pattern="z$"), _text(maxLength=8)]},
    {"allOf": [_enum(1, 2, 3), _enum(2, 3, 4)]},
    {
        "allOf": [
            {"type": "object", "properties": {"a": _INTEGER}, "required": ["a"]},
            {"type": "object", "properties": {"b": _BOOLEAN}, "required": ["b"], "maxProperties": 2},
        ]
    },
    {"allOf": [{"$ref": "#/$defs/positive"}, {"maximum": 20}], "$defs": {"positive": _whole(minimum=1)}},
    {"type": "integer", "anyOf": [{"minimum": 0, "maximum": 3}, {"minimum": 7, "maximum": 9}]},
    {"allOf": [_any(_INTEGER, _STRING), _any(_INTEGER, _NULL)]},
]
_TREE: Final = {
    "type": "object",
    "properties": {"value": _INTEGER, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2}},
    "required": ["value", "children"],
    "additionalProperties": False,
}
_LINK: Final = _closed(value=_INTEGER, next=_any(_NULL, {"$ref": "#/$defs/link"}))
_REFERENCES: Final[list[Schema]] = [
    {"$ref": "#/$defs/a", "$defs": {"a": _INTEGER}},
    {"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/b"}, "b": _BOOLEAN}},
    {**_closed(a={"$ref": "#/$defs/x"}, b={"$ref": "#/$defs/x"}), "$defs": {"x": _enum("p", "q")}},
    {"$ref": "#/$defs/node", "$defs": {"node": _TREE}},
    {"$ref": "#/$defs/link", "$defs": {"link": _LINK}},
    {**_closed("again", again={"$ref": "#"}, stop=_BOOLEAN)},
    {"type": "array", "items": {"$ref": "#"}, "maxItems": 2},
    {"anyOf": [_BOOLEAN, _closed(negated={"$ref": "#"})]},
    {
        "$ref": "#/$defs/expression",
        "$defs": {
            "expression": _any(_whole(minimum=0, maximum=9), {"$ref": "#/$defs/sum"}),
            "sum": {
                "type": "array",
                "prefixItems": [{"const": "+"}, {"$ref": "#/$defs/expression"}, {"$ref": "#/$defs/expression"}],
                "items": False,
                "minItems": 3,
            },
        },
    },
    {
        "$ref": "#/$defs/even",
        "$defs": {
            "even": _any(_NULL, _closed(odd={"$ref": "#/$defs/odd"})),
            "odd": _closed(even={"$ref": "#/$defs/even"}),
        },
    },
    {**_closed(first={"$ref": "#/properties/second"}, second=_enum("s", "t"))},
    {"$ref": "#/$defs/a~1b", "$defs": {"a/b": _INTEGER}},
]
_ADDRESS: Final = _closed(street=_STRING, city=_STRING, postcode=_text(pattern="^[0-9]{5}$"))
_REALISTIC: Final[list[Schema]] = [
    _closed(name=_STRING, age=_whole(minimum=0, maximum=120), email=_text(format="email", maxLength=30)),
    _closed(sentiment=_enum("positive", "negative", "neutral"), confidence=_number(minimum=0, maximum=1)),
    _closed(title=_STRING, tags=_list(_STRING, 1, 3), published=_BOOLEAN),
    _closed("line2", line1=_STRING, line2=_STRING, country=_text(pattern="^[A-Z]{2}$")),
    _closed(order=_INTEGER, lines=_list(_closed(sku=_text(pattern="^[A-Z0-9]{6}$"), quantity=_INTEGER), 1, 2)),
    _closed(steps=_list(_closed(explanation=_STRING, output=_STRING), 1, 2), final_answer=_STRING),
    _closed(city=_STRING, temperature=_number(minimum=-50, maximum=60), unit=_enum("celsius", "fahrenheit")),
    _closed(question=_STRING, options=_list(_STRING, 4, 4), correct=_whole(minimum=0, maximum=3)),
    _closed(billing=_ADDRESS, shipping=_any(_ADDRESS, _NULL)),
    _closed(event=_STRING, date=_text(format="date"), attendees=_list(_STRING, 0, 3)),
    _closed(function={"const": "get_weather"}, arguments=_closed("unit", city=_STRING, unit=_enum("c", "f"))),
    _closed(
        red=_whole(minimum=0, maximum=255), green=_whole(minimum=0, maximum=255), blue=_whole(minimum=0, maximum=255)
    ),
    _closed(language=_enum("en", "de", "fr", "ja"), text=_text(minLength=1, maxLength=20)),
    _closed(is_spam=_BOOLEAN, reasons=_list(_enum("link", "caps", "sender"), 0, 3)),
    _closed(entities=_list(_closed(text=_STRING, label=_enum("PER", "ORG", "LOC")), 0, 2)),
    _closed(rating=_whole(minimum=1, maximum=5), review=_text(maxLength=25), recommend=_BOOLEAN),
    _closed(path=_text(pattern="^(/[a-z]{1,6}){1,3}$"), method=_enum("GET", "POST", "PUT", "DELETE")),
    _closed(chess=_text(pattern="^[KQRBN]?[a-h][1-8]$"), time_s=_number(minimum=0, maximum=600)),
    _closed(recipe=_STRING, minutes=_whole(multipleOf=5, minimum=5, maximum=120), vegan=_BOOLEAN),
    _closed(invoice=_text(pattern=r"^INV-\d{4}$"), total=_number(minimum=0, maximum=1000), paid=_any(_BOOLEAN, _NULL)),
    _closed(user=_closed(id=_text(format="uuid"), roles=_list(_enum("admin", "user"), 1, 2)), active=_BOOLEAN),
    _closed(sql=_closed(table=_text(pattern="^[a-z_]{1,10}$"), limit=_whole(minimum=1, maximum=100))),
    _closed(
        answer=_any(_STRING, _INTEGER, _list(_STRING, 1, 2)), sources=_list(_text(format="uri", maxLength=30), 0, 1)
    ),
    _closed(days=_closed(**{day: _any(_NULL, _whole(minimum=0, maximum=24)) for day in ("mon", "tue", "wed")})),
    _closed(move=_enum("rock", "paper", "scissors"), mood=_text(maxLength=8)),
]

_FAMILIES: Final = {
    "type": _TYPES,
    "enum": _ENUMS,
    "const": _CONSTANTS,
    "string": _STRINGS,
    "format": _FORMATS,
    "number": _NUMBERS,
    "array": _ARRAYS,
    "object": _OBJECTS,
    "union": _UNIONS,
    "intersection": _INTERSECTIONS,
    "reference": _REFERENCES,
    "realistic": _REALISTIC,
}
SCHEMAS: Final = {
    f"{family}-{number}": schema for family, group in _FAMILIES.items() for number, schema in enumerate(group)
}
"""All of them by name."""
