"""The model of a campaign file: reading, checking, writing one."""

from ninefold.campaign.parsing import find_campaign_file, parse_campaign, read_campaign

__all__ = ["find_campaign_file", "parse_campaign", "read_campaign"]
