"""Every setting of the site, read from typed environment variables.

Nothing needs to be set: without `DATABASE_URL` and `REDIS_URL` the embedded servers of `config.embedded` are meant, and
keys are made once and kept in the state folder (`PILOTHOUSE_STATE`). A real installation sets `DATABASE_URL`,
`REDIS_URL`, `SECRET_KEY`, `PILOTHOUSE_SECRET_KEYS` and `ALLOWED_HOSTS`.
"""

import gc
from datetime import timedelta
from hashlib import sha256
from typing import Any

import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.templatetags.static import static

from config import logs
from config.embedded import ROOT, has_database, is_meant, state
from config.keys import kept_text, own_key

# Nothing of what a process loads at its start is garbage; `config.apps` has it looked for from then on.
gc.disable()

env = environ.Env()
STATE = state()

# What this installation is --------------------------------------------------------------------------------------------
BASE_DIR = ROOT
STATE_DIR = STATE.path
DEBUG = env.bool("DEBUG", default=False)
EMBEDDED = is_meant()
#: Whether sample people, whose password everybody knows, may be made without being asked for.
EMBEDDED_DATABASE = has_database()
SECRET_KEY = env.str("SECRET_KEY", default="") or own_key(STATE_DIR, "secret-key")
#: Keys that encrypt stored secrets, the current one first; older ones still decrypt.
SECRET_KEYS = env.list("PILOTHOUSE_SECRET_KEYS", default=[]) or [own_key(STATE_DIR, "secrets-encryption-key")]
#: What makes the ids of calendar events this site's own: set it to what it was before you change SECRET_KEY.
SITE_ID = env.str("PILOTHOUSE_SITE_ID", default="") or sha256(f"site {SECRET_KEY}".encode()).hexdigest()[:16]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
#: Where people reach this installation; links in mails start with it.
PILOTHOUSE_URL = env.str("PILOTHOUSE_URL", default="http://localhost:8000")
#: How mail is sent, such as smtp+tls://user:password@mail.example.org:587; unless it is set, it is written to the log.
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", default=20)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="pilothouse@localhost")
#: Whether activities may run commands on the workers' own machine.
LOCAL_PROVIDER = env.bool("PILOTHOUSE_LOCAL_PROVIDER", default=False)
#: Further pipeline engines: name to the dotted path of a Runner.
PROVIDERS: dict[str, str] = env.dict("PILOTHOUSE_PROVIDERS", default={})
#: What the values of secrets may refer to: variables whose names begin so (env:NAME), files in a folder (file:PATH),
#: and fields of a Vault's key-value store, version 2 (vault:MOUNT/PATH#FIELD). Nothing unless it is set.
SECRET_ENV_PREFIX = env.str("PILOTHOUSE_SECRET_ENV_PREFIX", default="")
SECRET_DIR = env.str("PILOTHOUSE_SECRET_DIR", default="")
VAULT_ADDR = env.str("PILOTHOUSE_VAULT_ADDR", default="")
VAULT_TOKEN = env.str("PILOTHOUSE_VAULT_TOKEN", default="")
VAULT_TOKEN_FILE = env.str("PILOTHOUSE_VAULT_TOKEN_FILE", default="")
VAULT_NAMESPACE = env.str("PILOTHOUSE_VAULT_NAMESPACE", default="")
#: What connections may reach beside public addresses: networks, addresses and names (10.1.0.0/16, ci.internal, *.corp).
OUTBOUND_ALLOW = env.list("PILOTHOUSE_OUTBOUND_ALLOW", default=[])
#: A file of further authorities whose certificates are trusted.
OUTBOUND_CA = env.str("PILOTHOUSE_OUTBOUND_CA", default="")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.guardian",
    "django.contrib.admin.apps.SimpleAdminConfig",  # config.urls looks for its pages: only the web process has any
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "guardian",
    "pgtrigger",
    "django_celery_beat",
    "axes",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "config",
    "activities",
    "processes",
    "releases",
    "calendar_app",
]

MIDDLEWARE = [
    "config.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.ContentPolicy",
    "config.health.Health",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "config.middleware.KeptPermissions",
    "config.idempotency.Idempotency",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "config.formats"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# One persistent connection per web thread and per worker process; a pool would only add a checkout to each task.
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.db_url_config(env.str("DATABASE_URL", default="") or STATE.database_url),
        "CONN_MAX_AGE": env.int("DATABASE_CONNECTION_AGE", default=60),
        "CONN_HEALTH_CHECKS": True,
    }
}

# The machine's statements are prepared ones; behind a pooler that cannot keep them, set this to 0. PostgreSQL keeps
# their plans for as long as the connection lives, which is why that is short: one made for nearly empty tables reads
# them from end to end.
DATABASES["default"].setdefault("OPTIONS", {})["prepare_threshold"] = (
    env.int("DATABASE_PREPARE_AFTER", default=5) or None
)

# The web process: how many requests it serves at once; how many pages may hear of changes, in all and of one person.
WEB_THREADS = env.int("WEB_THREADS", default=8)
LIVE_STREAMS = env.int("PILOTHOUSE_LIVE_STREAMS", default=1000)
LIVE_STREAMS_EACH = env.int("PILOTHOUSE_LIVE_STREAMS_EACH", default=20)

# Static files: hashed names, served by the web process itself.
STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(STATE_DIR / "static"))()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(STATE_DIR / "media"))()

# People ---------------------------------------------------------------------------------------------------------------
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
ANONYMOUS_USER_NAME = None  # guardian makes no user for people who are not signed in
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = env.int("PILOTHOUSE_SIGN_IN_ATTEMPTS", default=10)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_LOCKOUT_CALLABLE = "config.views.locked_out"
#: The provider by which people can sign in; none unless its issuer is set. Then what people see it called, the claim
#: that names groups, the group whose people may do everything, and whether a verified address makes an account theirs.
OIDC_ISSUER = env.str("OIDC_ISSUER", default="").rstrip("/")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="") or kept_text(
    env.str("OIDC_CLIENT_SECRET_FILE", default="")
)
OIDC_NAME = env.str("OIDC_NAME", default="single sign-on")
OIDC_SCOPES = env.list("OIDC_SCOPES", default=["openid", "profile", "email"])
OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", default="groups")
OIDC_ADMIN_GROUP = env.str("OIDC_ADMIN_GROUP", default="")
OIDC_TRUST_EMAIL = env.bool("OIDC_TRUST_EMAIL", default=False)
SOCIALACCOUNT_ADAPTER = "config.oidc.provider.Accounts"

# What browsers are told -----------------------------------------------------------------------------------------------
HTTPS = env.bool("PILOTHOUSE_HTTPS", default=False)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # a long phase or input set is one form in the admin
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
#: The admin's theme evaluates expressions and writes styles.
RELAXED_CONTENT_POLICY = {
    "/admin/": {"script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE], "style-src": [SELF, UNSAFE_INLINE]},
}

UNFOLD = {
    "SITE_TITLE": "Pilothouse",
    "SITE_HEADER": "Pilothouse",
    "SITE_SUBHEADER": "Times are in UTC",
    "SITE_ICON": lambda _: static("pilothouse/mark.svg"),
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": True,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("pilothouse/mark.svg")}],
    "STYLES": [lambda _: static("pilothouse/admin.css")],
    "SIDEBAR": {"navigation": "config.admin.sidebar.navigation"},
    "COLORS": {
        "primary": {
            "50": "#eef3fd", "100": "#dde7fb", "200": "#bed0f7", "300": "#94b1f0", "400": "#6c92ea", "500": "#4473e0",
            "600": "#2353c4", "700": "#1b44a6", "800": "#193b88", "900": "#19356d", "950": "#122145",
        },
    },
}  # fmt: skip

# The REST API ---------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.rest.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["config.rest.authentication.InScope"],
    "DEFAULT_PARSER_CLASSES": ["config.rest.bodies.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "config.rest.paging.Pages",
    "DEFAULT_SCHEMA_CLASS": "config.rest.describe.Description",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "config.rest.problems.handle",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Pilothouse",
    "DESCRIPTION": "Open release orchestration. Sign in, or send a token: `Authorization: Bearer ph_…`.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "ReleaseState": "releases.api.shapes.RELEASE_STATES",
        "PhaseState": "releases.api.shapes.PHASE_STATES",
        "ActivityState": "releases.api.shapes.ACTIVITY_STATES",
        "ActivityKind": "releases.api.shapes.KINDS",
        "ConflictKind": "releases.api.before_start.KINDS",
        "ChangeKind": "processes.api.CHANGES",
        "FeedKind": "calendar_app.api.KINDS",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.rest.describe.with_problems",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# Workers: every message is a hint (law 5), so none needs to outlive the broker, and losing a worker gives it back soon.
CELERY_BROKER_URL = env.str("REDIS_URL", default="") or STATE.broker_url()
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,  # longer than the longest task, see CELERY_TASK_TIME_LIMIT
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "priority_steps": [0],  # one list to wait on: nothing is more urgent than the rest
}
CELERY_TASK_DEFAULT_QUEUE = "pilothouse"
CELERY_TASK_DEFAULT_DELIVERY_MODE = "transient"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_TASK_TIME_LIMIT = 100
CELERY_WORKER_PREFETCH_MULTIPLIER = env.int("PILOTHOUSE_PREFETCH", default=4)
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_DB_REUSE_MAX = 1_000_000  # Celery would open a new connection for each task; config.celery drops broken ones
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1

LOGGING = logs.configuration(env.str("LOG_LEVEL", default="INFO"))
