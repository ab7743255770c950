"""`copilot-analytics table`: make, check and reckon the DynamoDB table."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import AnalyticsConfig
from ..errors import ConfigurationError
from ..infrastructure.cost import estimate
from ..infrastructure.policy import Place, document, statements
from ..infrastructure.prices import US_EAST_1, Prices
from ..infrastructure.template import template as template_text
from ..infrastructure.workload import Workload
from ..stores._dynamodb_url import parsed
from .table_reports import tell_cost, tell_differences

if TYPE_CHECKING:
    from ..stores._dynamodb_client import DynamoDBClient

__all__ = ["table"]

table = typer.Typer(no_args_is_help=True, help="Make, check and reckon the DynamoDB table.")

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="The table, such as dynamodb://omnitrack-copilot-analytics?region=eu-central-1.",
        show_default="COPILOT_ANALYTICS_STORE, else the table that ANALYTICS_TABLE_NAME names",
    ),
]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@table.command(
    epilog="Example: copilot-analytics table create --store "
    "'dynamodb://omnitrack-copilot-analytics?region=eu-central-1'"
)
def create(store: StoreOption = None, as_json: JSONOption = False) -> None:
    """Create the table and wait until it can be used; status 1 if an existing one differs.

    An existing table gets what it lacks of TTL and point-in-time recovery, and stays as it is
    otherwise: running it again does no harm.
    """
    from ..stores._dynamodb_provisioning import create

    with closing(_client(store)) as client:
        found = create(client, lambda step: typer.echo(step, err=True))
        tell_differences(client, found, as_json=as_json)
    raise typer.Exit(1 if found else 0)


@table.command(
    epilog="Example: copilot-analytics table describe --store "
    "'dynamodb://omnitrack-copilot-analytics?region=eu-central-1'"
)
def describe(store: StoreOption = None, as_json: JSONOption = False) -> None:
    """Compare the table with what is expected of it; status 1 if something differs."""
    from ..stores._dynamodb_provisioning import differences

    with closing(_client(store)) as client:
        found = differences(client)
        tell_differences(client, found, as_json=as_json)
    raise typer.Exit(1 if found else 0)


@table.command(
    epilog="Example: copilot-analytics table policy --store "
    "'dynamodb://omnitrack-copilot-analytics?region=eu-central-1' --erase > policy.json"
)
def policy(
    store: StoreOption = None,
    region: Annotated[
        str | None,
        typer.Option("--region", help="The table's region.", show_default="the URL's, else any"),
    ] = None,
    account: Annotated[
        str, typer.Option("--account", metavar="ID", help="The table's AWS account; * is any.")
    ] = "*",
    partition: Annotated[
        str, typer.Option("--partition", help="aws, aws-cn or aws-us-gov.")
    ] = "aws",
    import_from: Annotated[
        str | None,
        typer.Option("--import", metavar="TABLE", help="Add what reading this table needs."),
    ] = None,
    erase: Annotated[bool, typer.Option("--erase", help="Add what erasing users needs.")] = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Add what publishing metrics by requests needs.")
    ] = False,
    manage: Annotated[
        bool, typer.Option("--manage", help="Add what table create and describe need.")
    ] = False,
) -> None:
    """Print the least-privilege IAM policy as JSON; on standard error, what each part is for."""
    meant = _meant(store)
    place = Place(region=region or meant.region or "*", account=account, partition=partition)
    chosen = statements(
        meant.name,
        place,
        import_from=import_from,
        erase=erase,
        metrics=metrics,
        manage=manage,
    )
    typer.echo(json.dumps(document(chosen), indent=2))
    for statement in chosen:
        typer.echo(f"{statement.sid}: {statement.reason}", err=True)


@table.command(
    epilog="Example: copilot-analytics table cost --events-per-day 1000000 --commands 40"
)
def cost(
    events_per_day: Annotated[
        float,
        typer.Option("--events-per-day", min=0, help="Events; a turn of a talk is about five."),
    ],
    commands: Annotated[int, typer.Option("--commands", min=0, help="Commands in use.")] = 20,
    intents: Annotated[int, typer.Option("--intents", min=0, help="Intents recognised.")] = 20,
    users: Annotated[int, typer.Option("--users", min=0, help="Users active in a day.")] = 500,
    error_types: Annotated[
        int, typer.Option("--error-types", min=0, help="Types of error in a day.")
    ] = 5,
    patterns: Annotated[
        int, typer.Option("--patterns", min=0, help="Error patterns in a day.")
    ] = 10,
    writers: Annotated[int, typer.Option("--writers", min=1, help="Processes that record.")] = 1,
    write_interval: Annotated[
        float, typer.Option("--write-interval", help="Seconds between a process's writes.")
    ] = 5.0,
    action_share: Annotated[
        float, typer.Option("--action-share", help="Which part of the events is a command's end.")
    ] = 0.2,
    error_share: Annotated[
        float, typer.Option("--error-share", help="Which part of the events is an error.")
    ] = 0.02,
    event_days: Annotated[
        int, typer.Option("--event-days", min=1, help="How many days events are kept.")
    ] = 90,
    rollup_days: Annotated[
        int, typer.Option("--rollup-days", min=1, help="How many days rollups are kept.")
    ] = 800,
    views: Annotated[
        int, typer.Option("--views", min=0, help="Dashboards read in a day, uncached.")
    ] = 100,
    write_price: Annotated[
        str | None, typer.Option("--write-price", help="US dollars a million write units.")
    ] = None,
    read_price: Annotated[
        str | None, typer.Option("--read-price", help="US dollars a million read units.")
    ] = None,
    storage_price: Annotated[
        str | None, typer.Option("--storage-price", help="US dollars a GB-month.")
    ] = None,
    backup_price: Annotated[
        str | None,
        typer.Option("--backup-price", help="US dollars a GB-month of point-in-time recovery."),
    ] = None,
    as_json: JSONOption = False,
) -> None:
    """Compute what the table costs a month, showing the arithmetic; asks nothing of AWS."""
    workload = Workload(
        events_per_day=events_per_day,
        commands=commands,
        intents=intents,
        users=users,
        error_types=error_types,
        patterns=patterns,
        writers=writers,
        write_interval=write_interval,
        action_share=action_share,
        error_share=error_share,
        event_days=event_days,
        rollup_days=rollup_days,
        dashboard_views=views,
    )
    prices = _prices(write=write_price, read=read_price, storage=storage_price, backup=backup_price)
    reckoned = estimate(workload, prices)
    tell_cost(reckoned, as_json=as_json)


@table.command(
    epilog="Example: copilot-analytics table template > template.yaml && aws cloudformation deploy "
    "--stack-name analytics --template-file template.yaml --capabilities CAPABILITY_IAM"
)
def template() -> None:
    """Print a CloudFormation template of the table, its policy and its alarms, as YAML."""
    typer.echo(template_text(), nl=False)


@dataclass(frozen=True, slots=True)
class _Meant:
    """The table that a URL means; without a region or endpoint, boto3's own rules find them."""

    name: str
    region: str | None
    endpoint: str | None


def _meant(store: str | None) -> _Meant:
    config = AnalyticsConfig.from_env(**({} if store is None else {"store": store}))
    if not config.store.startswith("dynamodb:"):
        raise ConfigurationError(
            "store",
            config.store,
            "name a table: --store 'dynamodb://TABLE?region=REGION', or set ANALYTICS_TABLE_NAME",
        )
    name, options = parsed(config.store)
    return _Meant(name, options.get("region"), options.get("endpoint"))


def _client(store: str | None) -> DynamoDBClient:
    meant = _meant(store)
    from ..stores._dynamodb_client import DynamoDBClient

    return DynamoDBClient(meant.name, region=meant.region, endpoint_url=meant.endpoint)


def _prices(**given: str | None) -> Prices:
    """Return the prices shipped, with those given in their place."""
    own = dict[str, Decimal]()
    for name, price in given.items():
        if price is None:
            continue
        try:
            own[name] = Decimal(price)
        except InvalidOperation:
            own[name] = Decimal("NaN")
        if not own[name].is_finite() or own[name] < 0:
            raise ConfigurationError(
                f"--{name}-price", price, "give US dollars as a number, such as 0.7625"
            )
    if not own:
        return US_EAST_1
    names = " and ".join(sorted(own))
    return replace(US_EAST_1, source=f"{US_EAST_1.source}; yours for {names}", **own)
