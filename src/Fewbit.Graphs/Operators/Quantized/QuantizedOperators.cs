namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>Operators on integer codes: those of the standard, and those that ONNX Runtime fuses QDQ groups to.</summary>
internal static class QuantizedOperators
{
    public static void Register(OperatorRegistry registry)
    {
        foreach (string domain in (string[])["", OperatorTable.MicrosoftDomain])
        {
            registry.Add("QuantizeLinear", QuantizeLinear.Parse, domain);
            registry.Add("DequantizeLinear", DequantizeLinear.Parse, domain);
            registry.Add("QLinearConv", QLinearConv.Parse, domain);
        }
        registry.Add("DynamicQuantizeLinear", _ => new DynamicQuantizeLinear());
        registry.Add("ConvInteger", ConvInteger.Parse);
        registry.Add("QLinearMatMul", _ => new QLinearMatMul());
        registry.Add("MatMulInteger", _ => new MatMulInteger());
        AddMicrosoft(registry, "MatMulIntegerToFloat", _ => new MatMulIntegerToFloat());
        AddMicrosoft(registry, "QGemm", QGemm.Parse);
        AddMicrosoft(registry, "QLinearAdd", _ => new QLinearBinary(IsProduct: false));
        AddMicrosoft(registry, "QLinearMul", _ => new QLinearBinary(IsProduct: true));
        AddMicrosoft(registry, "QLinearConcat", QLinearConcat.Parse);
        AddMicrosoft(registry, "QLinearWhere", _ => new QLinearWhere());
        AddMicrosoft(registry, "QLinearSigmoid", _ => new QLinearLookup<SigmoidTable>(default));
        AddMicrosoft(registry, "QLinearLeakyRelu", node => new QLinearLookup<LeakyReluTable>(new(node.Float("alpha", 0.01f))));
        AddMicrosoft(registry, "QLinearSoftmax", QLinearSoftmax.Parse);
        AddMicrosoft(registry, "QLinearAveragePool", QLinearAveragePool.Parse);
        AddMicrosoft(registry, "QLinearGlobalAveragePool", QLinearGlobalAveragePool.Parse);
        registry.Add("SignedCodes", _ => new SignedCodes(), OperatorTable.FewbitDomain);
    }

    private static void AddMicrosoft(OperatorRegistry registry, string opType, Func<Node, IOperator> parse) => registry.Add(opType, parse, OperatorTable.MicrosoftDomain);
}
