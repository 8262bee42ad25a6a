"""Sources, tokens and grants: the control plane that few rows describe and every request obeys.

A source is who sends; it is also the unit of permission, of fairness and of retention. A change to a source
or a token is published to the broker once its transaction has committed, because ingest has no database.
"""

from collections.abc import Collection, Mapping
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import Q
from django.dispatch import Signal
from django.utils import timezone

from ingest import directory

PREFIX_SHOWN = (
    4  # random characters of a token that stay readable: enough to tell two apart, useless to guess
)

name_rule = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z", "Letters, digits, dot, dash and underscore; a letter or digit first."
)


committed = Signal()  # a source or a token has changed; publish.py hears it


def announce() -> None:
    committed.send(Published)


def default_retention() -> int:
    return int(settings.RETENTION_DAYS)


class Published(models.Model):
    """A row that ingest knows by way of the directory."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        transaction.on_commit(announce)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        transaction.on_commit(announce)
        return super().delete(*args, **kwargs)


class Source(Published):
    # 32 bits, as in every line and batch; a number is never given out twice, for lines outlive their source.
    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True, validators=[name_rule])
    description = models.CharField(max_length=200, blank=True)
    weight = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Its share of the workers when several sources wait: 1 to 100.",
    )
    retention_days = models.PositiveSmallIntegerField(
        default=default_retention,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text="Lines older than this are refused as too_old.",
    )
    identical_is_retry = models.BooleanField(
        default=False,
        help_text="Without an Idempotency-Key, a body received within the hour is a retry.",
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        permissions = [("read_all_sources", "Can read the lines of every source")]

    def __str__(self) -> str:
        return self.name


class Token(Published):
    """A secret that a program holds. Only its SHA-256 is kept: 160 random bits need no slow hash."""

    class Scope(models.TextChoices):
        INGEST = "ingest", "ingest: send lines to one source, read their receipts"
        READ = "read", "read: search the lines of its sources"
        ADMIN = "admin", "admin: everything"

    name = models.CharField(max_length=100, unique=True)
    scope = models.CharField(max_length=6, choices=Scope.choices)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=24, editable=False)
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.PROTECT, help_text="Where an ingest token's lines go."
    )
    sources = models.ManyToManyField(
        Source, blank=True, related_name="readers", help_text="What a read token may search."
    )
    all_sources = models.BooleanField(
        default=False, help_text="A read token for every source, future ones too."
    )
    created_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created = models.DateTimeField(auto_now_add=True)
    last_used = models.DateTimeField(null=True, blank=True, editable=False)
    expires = models.DateTimeField(null=True, blank=True)
    disabled = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="ingest", source__isnull=False)
                | (~Q(scope="ingest") & Q(source__isnull=True)),
                name="token_source_iff_ingest",
                violation_error_message="An ingest token needs a source; another token takes none.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def active(self) -> bool:
        return not self.disabled and (self.expires is None or self.expires > timezone.now())


class Grant(models.Model):
    """One source that a user, or everybody in a group, may read."""

    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE)
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.CASCADE)
    source = models.ForeignKey(Source, on_delete=models.CASCADE)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["source", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, group__isnull=True)
                | Q(user__isnull=True, group__isnull=False),
                name="grant_user_or_group",
                violation_error_message="A grant goes to a user or to a group: name one of them.",
            ),
            models.UniqueConstraint(fields=["user", "source"], name="grant_once_per_user"),
            models.UniqueConstraint(fields=["group", "source"], name="grant_once_per_group"),
        ]

    def __str__(self) -> str:
        return f"{self.source} to {self.user or self.group}"


class Profile(models.Model):
    """How a person likes the explorer: what webapp.api.me has checked, and nothing that grants anything."""

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE)
    preferences = models.JSONField(default=dict)
    changed = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return str(self.user)


def preferences_of(user_id: int | None) -> dict[str, Any]:
    found = Profile.objects.filter(pk=user_id).values_list("preferences", flat=True).first()
    return dict(found or {})


def prefer(user_id: int, changes: Mapping[str, Any]) -> None:
    """Merges; None takes a preference back. Two pages that change at once both count."""
    with transaction.atomic():
        Profile.objects.get_or_create(pk=user_id)
        profile = Profile.objects.select_for_update().get(pk=user_id)
        merged: dict[str, Any] = {**profile.preferences, **changes}
        profile.preferences = {name: value for name, value in merged.items() if value is not None}
        profile.save()


def create_token(
    name: str,
    scope: str,
    *,
    source: Source | None = None,
    sources: Collection[Source] = (),
    all_sources: bool = False,
    created_by: User | None = None,
) -> tuple[Token, str]:
    """A new token and its value, which nobody can read back afterwards."""
    token = Token(name=name, scope=scope, source=source, all_sources=all_sources, created_by=created_by)
    value = token_value(token)
    token.full_clean()
    with transaction.atomic():
        token.save()
        token.sources.set(sources)
    return token, value


def token_value(token: Token) -> str:
    """Give the token a fresh secret: the value goes to its holder, the digest stays."""
    value = directory.make_token(cast(directory.Scope, token.scope))
    token.digest = directory.digest(value)
    token.prefix = value[: len(f"lb_{token.scope}_") + PREFIX_SHOWN]
    return value
