"""The one door: Django's own log-in view and form, with guesses counted. The admin's leads here too."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpResponse

from webapp.ui import throttle

TOO_MANY = f"Too many wrong passwords. Try again in {throttle.WINDOW_SECONDS // 60} minutes."


class LoginForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "Wrong user name or password. Both are case-sensitive.",
        "inactive": "This account is switched off.",
    }

    def clean(self) -> dict[str, Any]:
        """A right password does not help while the guesses are used up, or guessing would go on."""
        username = self.cleaned_data.get("username")
        if self.request is None or not username:
            return super().clean()
        if throttle.exhausted(self.request, username):
            raise ValidationError(TOO_MANY, code="throttled")
        try:
            return super().clean()
        except ValidationError:
            throttle.count(self.request, username)
            raise


class Login(LoginView):
    template_name = "ui/login.html"
    authentication_form = LoginForm

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        if form.has_error("__all__", "throttled"):
            response.status_code = 429
            response.headers["Retry-After"] = str(throttle.WINDOW_SECONDS)
        return response
