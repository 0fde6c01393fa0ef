namespace Fewbit.Onnx;

/// <summary>What a model file says of itself.</summary>
/// <param name="IrVersion">Version of the file format; 0 for a graph that was not read from a file.</param>
/// <param name="ProducerName">The tool that wrote the file.</param>
/// <param name="ProducerVersion">The tool's version.</param>
/// <param name="Domain">Reverse domain name of the model.</param>
/// <param name="ModelVersion">Version of the model.</param>
/// <param name="OpsetVersion">Version of the standard operators in the file; a graph read from it may have been upgraded. 0 for a graph that was not read from a file.</param>
public sealed record OnnxModelInfo(long IrVersion, string ProducerName, string ProducerVersion, string Domain, long ModelVersion, int OpsetVersion);
