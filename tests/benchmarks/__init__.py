"""How fast it is, as ratios within one run on one machine. None of these is a test."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()
