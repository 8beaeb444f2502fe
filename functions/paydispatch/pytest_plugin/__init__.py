"""A pytest plugin with a Stripe and a whole stack on this machine. It does nothing until a test uses a fixture.

    def test_a_lost_answer_is_no_second_payment(stripe_twin, paydispatch_stack):
        stripe_twin.lose_next_answer("create_payment_intent")
        receipt = pay("order-1001")                      # your program, with Dispatcher.from_env()
        assert receipt.outcome(30).status == "succeeded"
        stripe_twin.assert_effects(1)

`docs/testing.md` describes both fixtures. They need `pip install 'paydispatch[testing]'`.
"""
