"""Metrics, for Prometheus and whatever reads its formats."""

from prometheus_client.exposition import choose_encoder
from quart import Blueprint, Response, request

from cortex_entrypoints.observation.metrics import Metrics


def metrics_route(metrics: Metrics) -> Blueprint:
    """Builds the route `/metrics`; docs/metrics.md describes what it answers."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    async def read_metrics() -> Response:
        """Answers in OpenMetrics if the client asks for it, else in the text format of Prometheus."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(metrics.registry), content_type=content_type)

    return routes
