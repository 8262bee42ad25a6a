"""Lines that were sent to the web's address: the answer names the right one.

The web has no ingest code and takes no lines; an agent with the wrong port must hear more than "not found".
"""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt  # nothing is done here
def ingest_elsewhere(request: HttpRequest) -> JsonResponse:
    problem = {
        "type": "about:blank",
        "title": "Misdirected Request",
        "status": 421,
        "code": "misdirected",
        "detail": f"This address answers searches. Send lines to {settings.INGEST_PUBLIC_URL}/api/v1/logs.",
    }
    return JsonResponse(problem, status=421, content_type="application/problem+json")
