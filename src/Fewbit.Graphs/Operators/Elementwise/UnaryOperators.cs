namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>Functions of one input, element by element.</summary>
internal static class UnaryOperators
{
    public static void Register(OperatorRegistry registry)
    {
        RegisterFunctions(registry);
        RegisterActivations(registry);
        RegisterGradients(registry);
    }

    private static void RegisterFunctions(OperatorRegistry registry)
    {
        registry.Add("Exp", _ => new Unary<ExpFunction>(new()));
        registry.Add("Log", _ => new Unary<LogFunction>(new()));
        registry.Add("Sqrt", _ => new Unary<SqrtFunction>(new()));
        registry.Add("Reciprocal", _ => new Unary<ReciprocalFunction>(new()));
        registry.Add("Abs", _ => new Unary<AbsFunction>(new()));
        registry.Add("Neg", _ => new Unary<NegateFunction>(new()));
        registry.Add("Sign", _ => new Unary<SignFunction>(new()));
        registry.Add("Floor", _ => new Unary<FloorFunction>(new()));
        registry.Add("Ceil", _ => new Unary<CeilingFunction>(new()));
        registry.Add("Round", _ => new Unary<RoundFunction>(new()));
        registry.Add("Sin", _ => new Unary<SinFunction>(new()));
        registry.Add("Cos", _ => new Unary<CosFunction>(new()));
        registry.Add("Tan", _ => new Unary<TanFunction>(new()));
        registry.Add("Asin", _ => new Unary<AsinFunction>(new()));
        registry.Add("Acos", _ => new Unary<AcosFunction>(new()));
        registry.Add("Atan", _ => new Unary<AtanFunction>(new()));
        registry.Add("Sinh", _ => new Unary<SinhFunction>(new()));
        registry.Add("Cosh", _ => new Unary<CoshFunction>(new()));
        registry.Add("Asinh", _ => new Unary<AsinhFunction>(new()));
        registry.Add("Acosh", _ => new Unary<AcoshFunction>(new()));
        registry.Add("Atanh", _ => new Unary<AtanhFunction>(new()));
        registry.Add("Erf", _ => new Unary<ErfFunction>(new()));
    }

    private static void RegisterActivations(OperatorRegistry registry)
    {
        registry.Add("Relu", _ => new Unary<ReluFunction>(new()));
        registry.Add("LeakyRelu", node => new Unary<LeakyReluFunction>(new(node.Float("alpha", 0.01f))));
        registry.Add("ThresholdedRelu", node => new Unary<ThresholdedReluFunction>(new(node.Float("alpha", 1))));
        registry.Add("Shrink", node => new Unary<ShrinkFunction>(new(node.Float("bias", 0), node.Float("lambd", 0.5f))));
        registry.Add("HardSigmoid", node => new Unary<HardSigmoidFunction>(new(node.Float("alpha", 0.2f), node.Float("beta", 0.5f))));
        registry.Add("HardSwish", _ => new Unary<HardSwishFunction>(new()));
        registry.Add("Elu", node => new Unary<EluFunction>(new(node.Float("alpha", 1))));
        registry.Add("Selu", node => new Unary<SeluFunction>(new(node.Float("alpha", 1.67326319217681884765625f), node.Float("gamma", 1.05070102214813232421875f))));
        registry.Add("Celu", node => new Unary<CeluFunction>(new(node.Float("alpha", 1))));
        registry.Add("Softplus", _ => new Unary<SoftplusFunction>(new()));
        registry.Add("Softsign", _ => new Unary<SoftsignFunction>(new()));
        registry.Add("Mish", _ => new Unary<MishFunction>(new()));
        registry.Add("Swish", node => new Unary<SwishFunction>(new(node.Float("alpha", 1))));
        registry.Add("Sigmoid", _ => new Unary<SigmoidFunction>(new()));
        registry.Add("Tanh", _ => new Unary<TanhFunction>(new()));
        registry.Add("Gelu", node => IsTanhGelu(node) ? new Unary<TanhGeluFunction>(new()) : new Unary<GeluFunction>(new()));
        registry.Add("GeGLU", node => IsTanhGelu(node) ? new GatedFunction<TanhGeluFunction>(new()) : new GatedFunction<GeluFunction>(new()));
        registry.Add("SwiGLU", node => new GatedFunction<SwishFunction>(new(node.Float("alpha", 1))));
        registry.Add("Clip", _ => new Clip());
        registry.Add("IsNaN", _ => new IsNotANumber());
        registry.Add("IsInf", IsInfinite.Parse);
        registry.Add("Dropout", Dropout.Parse);
    }

    private static void RegisterGradients(OperatorRegistry registry)
    {
        registry.Add("GeluGradient", _ => new Binary<GeluGradientFunction>(), OperatorTable.FewbitDomain);
        registry.Add("TanhGeluGradient", _ => new Binary<TanhGeluGradientFunction>(), OperatorTable.FewbitDomain);
        registry.Add("ReluGradient", _ => new Binary<ReluGradientFunction>(), OperatorTable.FewbitDomain);
        registry.Add("SigmoidGradient", _ => new Binary<SigmoidGradientFunction>(), OperatorTable.FewbitDomain);
        registry.Add("TanhGradient", _ => new Binary<TanhGradientFunction>(), OperatorTable.FewbitDomain);
        registry.Add("ClipGradient", _ => new ClipGradient(), OperatorTable.FewbitDomain);
        registry.Add("RationalSigmoid", _ => new Unary<RationalSigmoid>(new()), OperatorTable.FewbitDomain);
        registry.Add("IsInsideUnit", _ => new Unary<IsInsideUnitFunction>(new()), OperatorTable.FewbitDomain);
    }

    private static bool IsTanhGelu(Node node) => node.String("approximate", "none") switch
    {
        "none" => false,
        "tanh" => true,
        var other => throw node.Fail($"approximate is '{other}', expected none or tanh"),
    };
}
