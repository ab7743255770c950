"""What one operation may cost, checked before it runs; every check is linear in its text.

Strawberry's own depth and alias limits take exponential time on nested fragments, and neither
bounds what lists multiply. Here a text is read once for its tokens and its nesting, so that the
parser, which recurses, never sees a deep one; then for its depth and its fields, fragments from
memory; then it is priced, lists multiplying what is in them by the size that was asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Source,
    TokenKind,
    get_named_type,
    value_from_ast_untyped,
)
from graphql.language import DocumentNode, InlineFragmentNode, Lexer

from .errors import RefusedError

__all__ = [
    "PERIODS",
    "ROWS",
    "Limits",
    "Prices",
    "Pricing",
    "check_structure",
    "check_text",
    "fields_of",
]

_OPENING = frozenset({TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L})
_CLOSING = frozenset({TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R})


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one operation may have.

    Attributes:
        characters: of its text, comments included; the dashboard's own operation has 1,300.
        tokens: of its text; the dashboard's own operation has about 200.
        depth: fields within fields; standard introspection has 14.
        fields: in the text.
        repeats: of one name side by side, which validation compares pairwise.
        fragments: uses of them in the text, which validation compares pairwise.
        aliases: in the text.
        directives: in the text.
        operations: in the text, of which one is run.
        cost: fields of the answer, lists multiplied. A field takes about 5 µs of the event loop,
            so that this is about 0.1 s, in slices of 3 ms.
    """

    characters: int = 20_000
    tokens: int = 1_000
    depth: int = 20
    fields: int = 300
    repeats: int = 10
    fragments: int = 60
    aliases: int = 50
    directives: int = 50
    operations: int = 20
    cost: int = 20_000

    @property
    def levels(self) -> int:
        """How deep a walk goes: fragments are levels to it, and arguments' braces to the parser."""
        return 2 * self.depth


def _exceeded(what: str, given: int | str, limit: int, fix: str) -> RefusedError:
    return RefusedError(
        "LIMIT_EXCEEDED",
        f"The operation has {given} {what}, more than the {limit:,} allowed: {fix}.",
        limit=limit,
    )


def check_text(text: str, limits: Limits) -> None:
    """Refuse a text with too many tokens or directives or too deep a nesting, before it is parsed.

    Raises:
        RefusedError: it exceeds a limit.
        GraphQLSyntaxError: it has characters that GraphQL does not know.
    """
    if len(text) > limits.characters:
        raise _exceeded("characters", len(text), limits.characters, "use variables")
    lexer = Lexer(Source(text))
    tokens = nesting = directives = 0
    while (kind := lexer.advance().kind) is not TokenKind.EOF:
        tokens += 1
        if kind in _OPENING:
            nesting += 1
        elif kind in _CLOSING:
            nesting -= 1
        elif kind is TokenKind.AT:
            directives += 1
        if tokens > limits.tokens:
            raise _exceeded("tokens", "too many", limits.tokens, "split it in several")
        if nesting > limits.levels:
            raise _exceeded("nested brackets", "too many", limits.levels, "nest less deeply")
    if directives > limits.directives:
        raise _exceeded("directives", directives, limits.directives, "leave some out")


def check_structure(document: DocumentNode, limits: Limits) -> None:
    """Refuse a document with too much in it, whatever its variables are; nothing is run twice.

    Raises:
        RefusedError: it exceeds a limit.
    """
    operations = sum(isinstance(d, OperationDefinitionNode) for d in document.definitions)
    if operations > limits.operations:
        raise _exceeded("operations", operations, limits.operations, "send fewer in one text")
    nodes = list(_nodes(document))
    fields = [node for node in nodes if isinstance(node, FieldNode)]
    if len(fields) > limits.fields:
        raise _exceeded("fields", len(fields), limits.fields, "ask for fewer, or use fragments")
    aliases = sum(node.alias is not None for node in fields)
    if aliases > limits.aliases:
        raise _exceeded("aliases", aliases, limits.aliases, "split it in several")
    fragments = sum(isinstance(node, FragmentSpreadNode) for node in nodes)
    if fragments > limits.fragments:
        raise _exceeded("uses of fragments", fragments, limits.fragments, "use fewer")
    for node in (*document.definitions, *nodes):
        repeats = max(Counter(_response_names(node)).values(), default=0)
        if repeats > limits.repeats:
            raise _exceeded("fields of one name", repeats, limits.repeats, "ask for each once")
    depth = _Depth(_fragments(document), limits).of_document(document)
    if depth > limits.depth:
        raise _exceeded("levels of fields", depth, limits.depth, "nest less deeply")


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }


def _selections(node: object) -> tuple[SelectionNode, ...]:
    inside = getattr(node, "selection_set", None)
    return tuple(inside.selections) if isinstance(inside, SelectionSetNode) else ()


def _nodes(document: DocumentNode) -> Iterator[SelectionNode]:
    """Yield every selection in a document's text once, in any order."""
    waiting = [node for definition in document.definitions for node in _selections(definition)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(_selections(node))


def fields_of(document: DocumentNode) -> Iterator[FieldNode]:
    """Yield every field in a document's text once, in any order."""
    return (node for node in _nodes(document) if isinstance(node, FieldNode))


def _response_names(node: object) -> Iterator[str]:
    for inner in _selections(node):
        if isinstance(inner, FieldNode):
            yield (inner.alias or inner.name).value


@dataclass(slots=True)
class _Depth:
    """How deep fields are within each other; each fragment is measured once."""

    fragments: Mapping[str, FragmentDefinitionNode]
    limits: Limits
    known: dict[str, int] = field(default_factory=dict)

    def of_document(self, document: DocumentNode) -> int:
        # Also fragments that nothing uses: validation walks them all the same.
        return max((self.of(definition, 0) for definition in document.definitions), default=0)

    def of(self, node: object, level: int) -> int:
        if level > self.limits.levels:
            raise _exceeded("levels", "too many", self.limits.levels, "nest less deeply")
        return max((self.of_selection(inner, level + 1) for inner in _selections(node)), default=0)

    def of_selection(self, node: SelectionNode, level: int) -> int:
        if not isinstance(node, FragmentSpreadNode):
            return self.of(node, level) + isinstance(node, FieldNode)
        name = node.name.value
        if name not in self.known:
            # A cycle counts as nothing here; validation refuses it.
            self.known[name] = 0
            self.known[name] = self.of(self.fragments.get(name), level)
        return self.known[name]


Arguments = Mapping[str, Any]

ROWS = "rows"
"""The size of a list that has as many entries as its root field was asked for."""

PERIODS = "periods"
"""The size of a list that has as many entries as its root field was asked about days, or hours."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What a schema's fields cost beyond the 1 that each is itself.

    Attributes:
        question: the price of each root field: reading takes time, too.
        rows: for how many rows a root field asks, by its name, from its arguments as they came and
            the time, epoch ms; one that is not named asks for one.
        periods: about how many days or hours, likewise.
        sizes: how many entries a list has, by `Type.field`: a number, `ROWS` or `PERIODS`.
        fields: the price of other fields that make the server read, each time, by `Type.field`.
    """

    question: int
    rows: Mapping[str, Callable[[Arguments, int], int]]
    periods: Mapping[str, Callable[[Arguments, int], int]]
    sizes: Mapping[str, int | str]
    fields: Mapping[str, int]


class _Degree(NamedTuple):
    """How often a price is multiplied by the rows, and by the periods, of the root field."""

    rows: int = 0
    periods: int = 0


_Price = Mapping[_Degree, int]
"""A price that still depends on what the root field asks for, as a polynomial's coefficients."""

_ONCE = _Degree()
_NOTHING: _Price = {}


def _sum(prices: Iterable[_Price]) -> _Price:
    total: dict[_Degree, int] = {}
    for price in prices:
        for degree, amount in price.items():
            total[degree] = total.get(degree, 0) + amount
    return total


def _times(size: int | str, price: _Price) -> _Price:
    if isinstance(size, int):
        return {degree: size * amount for degree, amount in price.items()}
    rows, periods = int(size == ROWS), int(size == PERIODS)
    return {
        _Degree(degree.rows + rows, degree.periods + periods): amount
        for degree, amount in price.items()
    }


class Pricing:
    """The price of one document's operations; each fragment is priced once.

    Args:
        schema: knows the fields' types.
        prices: what they cost.
        document: one that `check_structure` let pass.
        now_ms: the time, epoch milliseconds.
    """

    def __init__(
        self, schema: GraphQLSchema, prices: Prices, document: DocumentNode, now_ms: int
    ) -> None:
        self._schema = schema
        self._roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
        self._prices = prices
        self._fragments = _fragments(document)
        self._now_ms = now_ms
        self._known: dict[str, _Price] = {}
        self._variables: dict[str, Any] = {}

    def check(
        self, operation: OperationDefinitionNode, variables: Arguments, limits: Limits
    ) -> None:
        """Refuse an operation that costs too much.

        Raises:
            RefusedError: it does.
        """
        self._known.clear()
        self._variables = {
            definition.variable.name.value: value_from_ast_untyped(definition.default_value)
            for definition in operation.variable_definitions or ()
            if definition.default_value is not None
        }
        self._variables.update(variables)
        root = self._schema.get_root_type(operation.operation)
        cost = self._of(operation, root).get(_ONCE, 0)
        if cost > limits.cost:
            raise RefusedError(
                "LIMIT_EXCEEDED",
                f"The operation would cost {min(cost, 10**9):,}, more than the {limits.cost:,} "
                "allowed: ask for fewer fields, rows (first, top) or days (range).",
                limit=limits.cost,
            )

    def _of(self, node: object, parent: GraphQLObjectType | None) -> _Price:
        return _sum(self._of_selection(inner, parent) for inner in _selections(node))

    def _of_selection(self, node: SelectionNode, parent: GraphQLObjectType | None) -> _Price:
        if isinstance(node, FieldNode):
            return self._of_field(node, parent)
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            return self._of(node, parent if condition is None else self._type(condition.name.value))
        if not isinstance(node, FragmentSpreadNode):
            return _NOTHING
        name = node.name.value
        if name not in self._known:
            self._known[name] = _NOTHING
            fragment = self._fragments.get(name)
            if fragment is not None:
                self._known[name] = self._of(
                    fragment, self._type(fragment.type_condition.name.value)
                )
        return self._known[name]

    def _type(self, name: str) -> GraphQLObjectType | None:
        found = self._schema.get_type(name)
        return found if isinstance(found, GraphQLObjectType) else None

    def _of_field(self, node: FieldNode, parent: GraphQLObjectType | None) -> _Price:
        name = node.name.value
        known = None if parent is None else parent.fields.get(name)
        if parent is None or known is None:
            # Introspection, or a field that validation refuses.
            return _sum([{_ONCE: 1}, self._of(node, None)])
        inner = get_named_type(known.type)
        inside = self._of(node, inner if isinstance(inner, GraphQLObjectType) else None)
        place = f"{parent.name}.{name}"
        size = self._prices.sizes.get(place)
        if size is not None:
            # Entries cost something also where they are no objects.
            inside = _times(size, inside or {_ONCE: 1})
        price = _sum([{_ONCE: self._prices.fields.get(place, 1)}, inside])
        if parent not in self._roots:
            return price
        return {_ONCE: self._prices.question + self._asked(node, price)}

    def _asked(self, node: FieldNode, price: _Price) -> int:
        """Return a root field's price, now that it is known what it asks for."""
        arguments = {
            argument.name.value: value_from_ast_untyped(argument.value, self._variables)
            for argument in node.arguments or ()
        }

        def number(of: Mapping[str, Callable[[Arguments, int], int]]) -> int:
            count = of.get(node.name.value)
            return 1 if count is None else count(arguments, self._now_ms)

        rows, periods = number(self._prices.rows), number(self._prices.periods)
        return sum(
            amount * rows**degree.rows * periods**degree.periods for degree, amount in price.items()
        )
