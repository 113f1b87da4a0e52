from django.urls import path

from apps.billing.views.webhook import receive_event

app_name = "billing"

urlpatterns = [path("webhook/", receive_event, name="webhook")]
