EAPI=8

DESCRIPTION="What a fleet excludes"

inherit lab
