"""`webapp.pipeline.saying` for templates."""

from django import template

from webapp.pipeline import saying

register = template.Library()
register.filter("age", saying.age)
register.filter("size", saying.size)
register.filter("number", saying.number)
register.filter("counted", saying.counted)
register.filter("difference", saying.difference)
