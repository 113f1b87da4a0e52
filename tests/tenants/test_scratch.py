import time
import pytest
from django.test import Client
from tests.factories import make_tenant, make_operator

@pytest.mark.django_db
def test_a():
    t=time.time(); make_tenant(); print("create", time.time()-t)
    t=time.time(); make_tenant("beta"); print("create", time.time()-t)
    t=time.time(); r=Client(HTTP_HOST="acme.localhost").get("/accounts/login/"); print(r.status_code, time.time()-t)

@pytest.mark.django_db(transaction=True)
def test_b():
    t=time.time(); make_tenant(); print("create", time.time()-t)

@pytest.mark.django_db(transaction=True)
def test_c():
    make_operator()
