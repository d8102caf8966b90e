"""Panels in this project's manner: every one has a description, a unit, and legends that name bots.

A query goes by `$__rate_interval` where a curve is drawn and by `$__range` where one number stands for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, statetimeline
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.builders import timeseries as curves
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = models.DataSourceRef(type_val="prometheus", uid="oturum-prometheus")
BOT_UID, FLEET_UID = "oturum-bot", "oturum-fleet"
GREEN, YELLOW, ORANGE, RED = "green", "yellow", "orange", "red"
# Of counts, the least time from bar to bar: the windows of much shorter ones overlap, and rounding takes more away.
_BAR = "2m"
_BARS = "A bar: how often since the bar before it. Sum: of all bars that are shown."

Steps = Sequence[tuple[float | None, str]]
Panel = TypeVar("Panel", stat.Panel, statetimeline.Panel, curves.Panel, bargauge.Panel, tables.Panel)


@dataclass(frozen=True)
class Query:
    """`legend`: Grafana's template for the name of each series."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Look:
    """`width` in 24ths of the page, `height` in Grafana's rows. `steps`: from which value on which colour."""

    title: str
    description: str
    unit: str
    width: int
    height: int = 8
    steps: Steps = ((None, GREEN),)
    decimals: float | None = None
    empty: str = "none"


def small(  # noqa: PLR0913  a Look without a size
    title: str,
    description: str,
    unit: str,
    *,
    steps: Steps = ((None, GREEN),),
    decimals: float | None = None,
    empty: str = "none",
) -> Look:
    """One of six numbers in a row."""
    return Look(title, description, unit, 4, 4, steps, decimals, empty)


# --- kinds of panels -------------------------------------------------------------------------------------


def number(look: Look, query: Query, *, words: dict[int, tuple[str, str]] | None = None) -> stat.Panel:
    """One number now, coloured by its steps (or, with `words`, said by its word)."""
    panel = _dressed(stat.Panel(), look, [query], instant=True)
    panel.graph_mode(looks.BigValueGraphMode.NONE).color_mode(looks.BigValueColorMode.VALUE)
    panel.reduce_options(_last())
    return panel.mappings([_words(words)]) if words else panel


def name(look: Look, query: Query) -> stat.Panel:
    """What the series is called, for those whose value says nothing."""
    return number(look, query).text_mode(looks.BigValueTextMode.NAME)


def tiles(look: Look, query: Query, words: dict[int, tuple[str, str]], *, link: str) -> stat.Panel:
    """A coloured tile for each series, as many as there are: they shrink to fit."""
    panel = number(look, query, words=words)
    panel.color_mode(looks.BigValueColorMode.BACKGROUND_SOLID)
    panel.text_mode(looks.BigValueTextMode.VALUE_AND_NAME).data_links([_link("Look at this bot", link)])
    return panel


def timeline(look: Look, query: Query, words: dict[int, tuple[str, str]]) -> statetimeline.Panel:
    panel = _dressed(statetimeline.Panel(), look, [query])
    panel.mappings([_words(words)]).merge_values(True).fill_opacity(80).line_width(0)
    return panel.show_value(looks.VisibilityMode.AUTO).legend(_legend([])).per_page(40)


def curve(look: Look, *queries: Query, kinds: Sequence[str] = ("lastNotNull", "max")) -> curves.Panel:
    """Lines. `kinds`: what the legend's table says of each."""
    panel = _dressed(curves.Panel(), look, queries)
    panel.draw_style(looks.GraphDrawStyle.LINE).line_width(1).fill_opacity(5).min(0)
    panel.show_points(looks.VisibilityMode.NEVER).span_nulls(False)
    if len(look.steps) > 1:
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED)
        )
    return panel.legend(_legend(kinds)).tooltip(_tooltip())


def counts(look: Look, *queries: Query, colours: Mapping[str, str] = MappingProxyType({})) -> curves.Panel:
    """How often something happened: stacked bars, their sum in the legend. Queries are of what `happened`."""
    panel = _stacked(replace(look, description=f"{look.description} {_BARS}"), queries, colours)
    panel.draw_style(looks.GraphDrawStyle.BARS).interval(_BAR)
    return panel.legend(_legend(["sum"]))


def happened(counter: str) -> str:
    """How often `counter` was raised since the step before: an integer, so that bars and their sum are counts.

    Windows reach a scrape further back than a step, else what is raised between two of them would be in neither. An
    increase is then extrapolated to the whole window; the rate times the step is not, but for what is rounded away.
    """
    return f"round(rate({counter}[$__rate_interval]) * $__interval_ms / 1000)"


def shares(look: Look, query: Query, colours: Mapping[str, str]) -> curves.Panel:
    """Areas on top of each other: how a whole is made up. `colours`: by a series' name."""
    panel = _stacked(look, [query], colours).draw_style(looks.GraphDrawStyle.LINE)
    return panel.line_interpolation(looks.LineInterpolation.STEP_AFTER).legend(
        _legend(["lastNotNull", "max"])
    )


def ranking(look: Look, query: Query, *, most: float | None = None, link: str) -> bargauge.Panel:
    """Bars side by side, the first few of however many there are; the query chooses them and their order."""
    panel = _dressed(bargauge.Panel(), look, [query], instant=True)
    panel.orientation(looks.VizOrientation.HORIZONTAL).display_mode(looks.BarGaugeDisplayMode.BASIC).min(0)
    panel.reduce_options(_last()).data_links([_link("Look at this bot", link)])
    return panel if most is None else panel.max(most)


@dataclass(frozen=True)
class Column:
    """`query` gives one sample for each `client_id`."""

    query: str
    title: str
    unit: str
    steps: Steps = ()


def table(look: Look, columns: Sequence[Column], *, link: str, sort: str) -> tables.Panel:
    """A row a bot, joined from one query a column. `sort`: the column that decides, largest first."""
    queries = [Query(column.query, column.title) for column in columns]
    panel = _dressed(tables.Panel(), look, queries, instant=True, format_val=PromQueryFormat.TABLE)
    letters = [chr(ord("A") + at) for at in range(len(columns))]
    kept = {"client_id": 0} | {f"Value #{letter}": at for at, letter in enumerate(letters, 1)}
    names = {"client_id": "bot"} | {
        f"Value #{letter}": column.title for letter, column in zip(letters, columns, strict=True)
    }
    panel.with_transformation(_step("joinByField", byField="client_id", mode="outer"))
    panel.with_transformation(_step("filterFieldsByName", include={"names": list(kept)}))
    panel.with_transformation(_step("organize", indexByName=kept, renameByName=names))
    panel.override_by_name("bot", [_value("links", [_link("Look at this bot", link).build()])])
    for column in columns:
        properties = [_value("unit", column.unit)]
        if column.steps:
            properties += [
                _value("thresholds", _thresholds(column.steps).build()),
                _value("custom.cellOptions", {"type": "color-text"}),
            ]
        panel.override_by_name(column.title, properties)
    panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    return panel.filterable(True)


def listing(look: Look, query: Query, *, columns: dict[str, str], link: str) -> tables.Panel:
    """The labels of whatever there is: label -> heading."""
    panel = _dressed(tables.Panel(), look, [query], instant=True, format_val=PromQueryFormat.TABLE)
    panel.with_transformation(_step("filterFieldsByName", include={"names": list(columns)}))
    order = {name: at for at, name in enumerate(columns)}
    panel.with_transformation(_step("organize", indexByName=order, renameByName=columns))
    return panel.override_by_name("bot", [_value("links", [_link("Look at this bot", link).build()])])


def page(title: str, uid: str, description: str, *, start: str) -> dashboard.Dashboard:
    """`start`: how far it looks back at first, as in `now-24h`."""
    made = dashboard.Dashboard(title).uid(uid).description(description).tags(["oturum"])
    made.readonly().time(start, "now").refresh("30s").timezone("browser")
    made.timepicker(dashboard.TimePicker().refresh_intervals(["10s", "30s", "1m", "5m", "15m"]))
    return made.tooltip(models.DashboardCursorSync.CROSSHAIR)


def row(title: str) -> dashboard.Row:
    return dashboard.Row(title)


def note(name: str, expr: str, colour: str, text: str) -> dashboard.AnnotationQuery:
    """Marks on every curve of the page where `expr` has a sample. `text`: its label that is told.

    The step is the least one; over a long time Grafana asks in larger ones, and `$__rate_interval` grows with them.
    """
    mark = dashboard.AnnotationQuery().name(name).datasource(SOURCE).expr(expr).icon_color(colour)
    made = mark.enable(True).build()
    more = {"titleFormat": name, "textFormat": text, "step": "15s", "useValueForTime": False}
    return _Ready({**made.to_json(), **more})  # type: ignore[return-value]


def bot_link(label: str) -> str:
    """The page of the bot that `label`, one of Grafana's own expressions, names; the time stays."""
    return f"/d/{BOT_UID}?var-clientId={label}&${{__url_time_range}}"


# --- their parts ------------------------------------------------------------------------------------------


def _stacked(look: Look, queries: Iterable[Query], colours: Mapping[str, str]) -> curves.Panel:
    """`colours`: by a series' name."""
    panel = _dressed(curves.Panel(), look, queries)
    panel.line_width(0).fill_opacity(80).min(0)
    for name, colour in colours.items():
        panel.override_by_name(name, [_value("color", {"mode": "fixed", "fixedColor": colour})])
    panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))
    return panel.tooltip(_tooltip())


class _Ready:
    """A builder whose thing is made already: the SDK's annotations lack what Prometheus' own editor writes."""

    def __init__(self, made: dict[str, Any]) -> None:
        self._made = made

    def build(self) -> dict[str, Any]:
        return self._made


def _dressed(
    panel: Panel,
    look: Look,
    queries: Iterable[Query],
    *,
    instant: bool = False,
    format_val: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> Panel:
    panel.title(look.title).description(look.description).unit(look.unit).datasource(SOURCE)
    panel.span(look.width).height(look.height).thresholds(_thresholds(look.steps)).no_value(look.empty)
    if instant and len(look.steps) > 1:
        panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
    if look.decimals is not None:
        panel.decimals(look.decimals)
    for at, query in enumerate(queries):
        asked = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).format(format_val)
        asked.ref_id(chr(ord("A") + at)).datasource(SOURCE)
        panel.with_target(asked.instant() if instant else asked.range())
    return panel


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    made = [models.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(made)


def _words(words: dict[int, tuple[str, str]]) -> models.ValueMap:
    return models.ValueMap(
        {
            str(code): models.ValueMappingResult(text=text, color=colour, index=code)
            for code, (text, colour) in words.items()
        }
    )


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")


def _legend(kinds: Sequence[str]) -> common.VizLegendOptions:
    made = common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM)
    mode = looks.LegendDisplayMode.TABLE if kinds else looks.LegendDisplayMode.LIST
    return made.display_mode(mode).calcs(list(kinds))


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI).sort(looks.SortOrder.DESCENDING)


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).url(url).type(models.DashboardLinkType.LINK)


def _step(kind: str, **options: object) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(id_val=kind, options=options)


def _value(name: str, value: object) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val=name, value=value)
