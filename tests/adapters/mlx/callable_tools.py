"""Twenty tools as different as people write them, each with five requests that call for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from cortex_domain.tools import ToolDefinition


@dataclass(frozen=True, kw_only=True)
class AskedTool:
    """A tool and what somebody says who wants it used."""

    tool: ToolDefinition
    requests: tuple[str, str, str, str, str]


def _text(most: int = 30, **more: Any) -> dict[str, Any]:
    return {"type": "string", "maxLength": most, **more}


def _number(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def _asked(
    name: str,
    description: str,
    properties: Mapping[str, Any],
    requests: tuple[str, str, str, str, str],
    *,
    optional: tuple[str, ...] = (),
    definitions: Mapping[str, Any] = MappingProxyType({}),
) -> AskedTool:
    required = [name for name in properties if name not in optional]
    parameters = {"type": "object", "properties": dict(properties), "required": required}
    parameters |= {"$defs": dict(definitions)} if definitions else {}
    return AskedTool(tool=ToolDefinition(name=name, description=description, parameters=parameters), requests=requests)


_POINT: Final = {"type": "object", "properties": {"x": _number(-99, 99), "y": _number(-99, 99)}, "required": ["x", "y"]}

_PERSON: Final = {
    "type": "object",
    "properties": {"name": _text(12), "child": {"anyOf": [{"$ref": "#/$defs/person"}, {"type": "null"}]}},
    "required": ["name", "child"],
    "additionalProperties": False,
}

ASKED_TOOLS: Final = (
    _asked(
        "get_weather",
        "Tells the weather in a city.",
        {"city": _text()},
        (
            "How is the weather in Paris?",
            "Will it rain in Oslo?",
            "Is it hot in Cairo?",
            "Weather for Lima, please.",
            "What should I wear in Rome today?",
        ),
    ),
    _asked(
        "convert_temperature",
        "Converts a temperature.",
        {"value": {"type": "number", "minimum": -300, "maximum": 5000}, "to": {"enum": ["celsius", "fahrenheit"]}},
        ("100 F in C?", "Convert 20 C.", "What is 0 K?", "37 degrees in Fahrenheit", "Boiling point in F?"),
    ),
    _asked(
        "add",
        "Adds two whole numbers.",
        {"a": _number(-9999, 9999), "b": _number(-9999, 9999)},
        ("2 + 3", "Add 17 and 25.", "What is 100 plus 1?", "Sum of 8 and 9?", "-4 + 4"),
    ),
    _asked(
        "current_time",
        "Tells what time it is.",
        {},
        ("What time is it?", "The time, please.", "Is it noon yet?", "How late is it?", "Time?"),
    ),
    _asked(
        "send_email",
        "Sends an email.",
        {"to": _text(40), "subject": _text(), "urgent": {"type": "boolean"}},
        (
            "Write to ann@example.com about lunch.",
            "Email Bob the report.",
            "Tell Cleo the meeting moved.",
            "Thank Dan by mail.",
            "Send Eve the invoice, it is urgent.",
        ),
        optional=("urgent",),
    ),
    _asked(
        "create_task",
        "Adds something to the list of things to do.",
        {
            "title": _text(),
            "priority": {"enum": ["low", "normal", "high"]},
            "tags": {"type": "array", "items": _text(12), "maxItems": 3},
        },
        ("Remind me to buy milk.", "I must call mum.", "Add: pay rent, high.", "Note to fix the bike.", "Plan a trip."),
        optional=("tags",),
    ),
    _asked(
        "move_robot",
        "Moves the robot along a way.",
        {"way": {"type": "array", "items": _POINT, "minItems": 1, "maxItems": 3}},
        ("Go to 3, 4.", "Drive home.", "Move one step left.", "To the origin!", "Go 1,1 then 2,2."),
    ),
    _asked(
        "set_light",
        "Sets a lamp.",
        {"room": {"enum": ["kitchen", "bedroom", "hall"]}, "on": {"type": "boolean"}, "level": _number(0, 100)},
        ("Light in the kitchen!", "Hall off.", "Dim the bedroom.", "Full light in the hall.", "Kitchen to 20."),
        optional=("level",),
    ),
    _asked(
        "search_books",
        "Looks for books.",
        {"query": _text(), "year": {"anyOf": [_number(1450, 2100), {"type": "null"}]}},
        ("Books about whales?", "Find novels of 1851.", "Poems by Dickinson", "Cookbooks", "Books on Rust"),
    ),
    _asked(
        "book_table",
        "Books a table in a restaurant.",
        {"guests": _number(1, 12), "date": {"type": "string", "format": "date"}, "name": _text(20)},
        (
            "A table for two on 1 May 2026, Smith.",
            "Dinner for four.",
            "Book for six people, Jones.",
            "Lunch for one.",
            "Table for 12, party of Kim.",
        ),
    ),
    _asked(
        "translate",
        "Translates a text.",
        {"text": _text(40), "language": {"enum": ["de", "es", "fr", "it", "pl"]}},
        ("Hello in French", "Cat in Polish", "Say thanks in Spanish.", "Good night, Italian", "Bread in German"),
    ),
    _asked(
        "play_music",
        "Plays music.",
        {"what": {"type": "object", "properties": {"artist": _text(20), "title": _text(20)}, "required": ["title"]}},
        ("Play Yesterday.", "Some Mozart.", "Play jazz.", "Bohemian Rhapsody by Queen", "Music!"),
    ),
    _asked(
        "roll_dice",
        "Rolls dice.",
        {"sides": {"enum": [4, 6, 8, 10, 12, 20]}, "count": _number(1, 10)},
        ("Roll a die.", "2d6", "Roll 3 d20", "A twenty-sided die", "Throw four dice"),
        optional=("count",),
    ),
    _asked(
        "transfer_money",
        "Sends money.",
        {"iban": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{6}$"}, "cents": _number(1, 100000)},
        ("Send 5 euro to DE123456.", "Pay 10 to FR654321.", "1 euro to IT111111", "Transfer 20", "Pay AT222222."),
    ),
    _asked(
        "plot",
        "Draws a figure of numbers.",
        {
            "kind": {"const": "line"},
            "values": {"type": "array", "items": _number(0, 999), "minItems": 2, "maxItems": 5},
        },
        ("Plot 1, 2, 3.", "Draw 4 8 15.", "A line of 10 and 20", "Chart 5, 4, 3, 2", "Show 100, 50."),
    ),
    _asked(
        "set_timer",
        "Starts a timer.",
        {
            "duration": {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"minutes": _number(1, 600)},
                        "required": ["minutes"],
                        "additionalProperties": False,
                    },
                    {
                        "type": "object",
                        "properties": {"hours": _number(1, 10)},
                        "required": ["hours"],
                        "additionalProperties": False,
                    },
                ]
            }
        },
        ("Five minutes.", "Timer for an hour.", "Wake me in 20 minutes.", "3 minutes for the egg", "Two hours"),
    ),
    _asked(
        "files-list",
        "Lists the files of a directory.",
        {"path": _text(40), "hidden": {"type": "boolean", "default": False}},
        ("What is in /tmp?", "List my files.", "Show all files here.", "ls /etc", "Files in docs?"),
        optional=("hidden",),
    ),
    _asked(
        "describe_tree",
        "Stores a family tree.",
        {"root": {"$ref": "#/$defs/person"}},
        ("Ann has a son, Bob.", "Cleo is alone.", "Dan, father of Eve.", "A tree of one.", "Fay and her child Gil"),
        definitions={"person": _PERSON},
    ),
    _asked(
        "rate",
        "Rates something from one to five stars.",
        {"stars": {"type": "integer", "enum": [1, 2, 3, 4, 5]}, "why": {"type": ["string", "null"], "maxLength": 40}},
        ("Great film!", "The soup was cold.", "It was fine.", "Worst trip ever.", "Five stars."),
    ),
    _asked(
        "tell_size",
        "Tells how large something is, Größe in “words”.",
        {"what é": _text(20), 'with "quotes"': {"type": "boolean"}},
        ("How big is the moon?", "Size of an atom?", "How tall is Everest?", "Large whale", "How long is a mile?"),
    ),
)
