EAPI=8

DESCRIPTION="A live version: its source is whatever it is today"
PROPERTIES="live"

inherit lab
