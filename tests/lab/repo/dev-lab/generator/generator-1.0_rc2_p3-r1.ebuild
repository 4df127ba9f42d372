EAPI=8

DESCRIPTION="A tool that others need only while they are built; a version with suffixes and a revision"

inherit lab
