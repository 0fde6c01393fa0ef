namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>Arithmetic, relations and logic of two or more inputs, element by element.</summary>
internal static class ElementwiseOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("Add", _ => new Binary<AddFunction>());
        registry.Add("Sub", _ => new Binary<SubtractFunction>());
        registry.Add("Mul", _ => new Binary<MultiplyFunction>());
        registry.Add("Div", _ => new Binary<DivideFunction>());
        registry.Add("PRelu", _ => new Binary<PReluFunction>());
        registry.Add("Mod", node => node.Int("fmod", 0) != 0 ? new Binary<RemainderFunction>() : new Binary<ModuloFunction>());
        registry.Add("Pow", _ => new Pow());
        registry.Add("Min", _ => new Variadic<MinFunction>());
        registry.Add("Max", _ => new Variadic<MaxFunction>());
        registry.Add("Sum", _ => new Variadic<AddFunction>());
        registry.Add("Mean", _ => new Variadic<AddFunction>(IsMean: true));
        registry.Add("Equal", _ => new Comparison<EqualRelation>());
        registry.Add("Less", _ => new Comparison<LessRelation>());
        registry.Add("LessOrEqual", _ => new Comparison<LessOrEqualRelation>());
        registry.Add("Greater", _ => new Comparison<GreaterRelation>());
        registry.Add("GreaterOrEqual", _ => new Comparison<GreaterOrEqualRelation>());
        registry.Add("And", _ => new Bitwise<AndFunction>(IsLogical: true));
        registry.Add("Or", _ => new Bitwise<OrFunction>(IsLogical: true));
        registry.Add("Xor", _ => new Bitwise<XorFunction>(IsLogical: true));
        registry.Add("Not", _ => new Complement(IsLogical: true));
        registry.Add("BitwiseAnd", _ => new Bitwise<AndFunction>(IsLogical: false));
        registry.Add("BitwiseOr", _ => new Bitwise<OrFunction>(IsLogical: false));
        registry.Add("BitwiseXor", _ => new Bitwise<XorFunction>(IsLogical: false));
        registry.Add("BitwiseNot", _ => new Complement(IsLogical: false));
        registry.Add("BitShift", ParseShift);
        registry.Add("Where", _ => new Where());
        registry.Add("Cast", Cast.Parse);
        registry.Add("CastLike", Cast.ParseLike);
        registry.Add("BitCast", BitCast.Parse);
    }

    private static IOperator ParseShift(Node node) => node.String("direction") switch
    {
        "LEFT" => new Bitwise<ShiftLeftFunction>(IsLogical: false),
        "RIGHT" => new Bitwise<ShiftRightFunction>(IsLogical: false),
        var other => throw node.Fail($"direction is '{other}', expected LEFT or RIGHT"),
    };
}
